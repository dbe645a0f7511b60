import { openWebsocket } from '/tour.js';

/** Close codes after which another attempt is useless: done, and refused. */
const lastCodes = [1000, 1008];

/**
 * Keeps a websocket open until `close`: it connects again after a loss, and asks for what came after the last message that it
 * has received. It calls `makeUrl` for each attempt, and `onState` with 'connecting', 'open', 'lost' or 'closed', and with the
 * close code and whether the websocket was open.
 */
export function stayConnected(makeUrl, onMessage, onState) {
  let websocket, timer, since;
  let pause = 500;

  function open() {
    drop();
    const url = new URL(makeUrl(), location.href);
    if (since !== undefined) url.searchParams.set('since', since);
    let wasOpen = false;
    websocket = openWebsocket(url);
    onState('connecting');
    websocket.onopen = () => {
      wasOpen = true;
      pause = 500;
      onState('open');
    };
    websocket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      since = message.position ?? message.id ?? since;
      onMessage(message);
    };
    websocket.onclose = ({ code }) => {
      const isLost = !lastCodes.includes(code);
      if (isLost) timer = setTimeout(open, pause * (1 + Math.random()));
      else websocket = undefined;
      pause = Math.min(pause * 2, 15_000);
      onState(isLost ? 'lost' : 'closed', code, wasOpen);
    };
  }

  /** Ignores the websocket from now on. Without a network, the browser may take a minute to close it. */
  function drop() {
    clearTimeout(timer);
    if (!websocket) return;
    websocket.onopen = websocket.onmessage = websocket.onclose = null;
    websocket.close();
    websocket = undefined;
  }

  // The old websocket may not notice for a long time that it is lost.
  addEventListener('online', () => {
    if (websocket) open();
  });

  return {
    open,
    close: drop,
    /** Whether it is open, or will open again. */
    isWanted: () => websocket !== undefined,
    /** Sends a value. Returns whether the websocket was open. */
    send(value) {
      if (websocket?.readyState !== WebSocket.OPEN) return false;
      websocket.send(JSON.stringify(value));
      return true;
    },
  };
}
