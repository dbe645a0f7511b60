// For the pages whose websocket comes back after a loss: `dwebsocket/client`, with the status and the buttons of this tour.

import { connect } from '/dwebsocket/client/index.mjs';
import { byId, closeWebsocket, explainClose, showEnd, showState, switchButtons, warn } from '/tour.js';

/** Shows the state of a websocket in `element`. Calls `onState` after each change, with whether it was open before. */
export function followState(socket, element, onState) {
  let wasOpen = false;
  const show = () => {
    const { state, lastClose } = socket;
    if (state === 'connecting') showState(element, 'connecting', 'Connecting…');
    else if (state === 'open') showState(element, 'open', 'Connected');
    else if (state === 'closed') showEnd(element, socket, lastClose.code, wasOpen);
    else {
      const why = explainClose(lastClose.code, wasOpen);
      showState(element, 'lost', `Closed: ${why}. The page will connect again.`);
    }
    onState(wasOpen);
    wasOpen = state === 'open';
  };
  socket.addEventListener('state', show);
  show();
}

/**
 * Connects a page to a path, and reconnects until the visitor presses Close, or until the server ends the websocket for good.
 * Handles the status and the Connect and Close buttons.
 */
export function keepConnected(path, options, onMessage) {
  const status = document.querySelector('.connection .status');
  const buttons = { connect: byId('connect'), close: byId('close') };
  let socket;

  const connection = {
    /** Called after each change of the state, with the websocket, and with whether it was open before. */
    onState: () => {},
    /** Whether the page is connected, or will be by itself. If not, warns what to do first. */
    isReady() {
      warn(socket.isClosed() ? 'You are not connected. Press Connect first.' : '');
      return !socket.isClosed();
    },
    /** Sends data: now, or when the websocket is open again. */
    send(data) {
      if (connection.isReady()) void socket.send(data);
    },
  };

  async function open() {
    warn('');
    socket = connect(path, options);
    switchButtons(buttons.connect, buttons.close);
    followState(socket, status, (wasOpen) => {
      if (socket.isClosed()) switchButtons(buttons.close, buttons.connect);
      connection.onState(socket, wasOpen);
    });
    for await (const message of socket) onMessage(message);
  }

  buttons.connect.form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (socket.isClosed()) void open();
  });
  buttons.close.addEventListener('click', () => closeWebsocket(socket));
  void open();
  return connection;
}
