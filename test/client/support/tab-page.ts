/** What a tab has seen. */
export interface TabLog {
  /** The ids of the messages that it has read. */
  readonly received: string[];
  /** What `complete` was in each welcome. */
  readonly complete: boolean[];
  /** What `send` has resolved with, by the number of the message. */
  readonly answers: boolean[];
  /** The number of the connection that took a message, and the number of the message. */
  readonly passed: [connection: number, n: number][];
  readonly connections: number;
}

/** A message of the room. */
export interface Said {
  readonly id: string;
  /** The tab that has sent it, or `'test'`. */
  readonly from: string;
  /** Its number, from 0 on for each sender. */
  readonly n: number;
  readonly isLast?: boolean;
  readonly isEnd?: boolean;
}

/** A page with a client, which `?url=` tells where to connect, and `?tab=` who it is. `finish()` in it returns a `TabLog`. */
export const TAB_PAGE = `<script type="module">
  import { connect } from '/client.mjs';
  const parameters = new URLSearchParams(location.search);
  const from = parameters.get('tab');
  const log = { received: [], complete: [], answers: [], passed: [], connections: 0 };

  class RecordingWebSocket extends WebSocket {
    #connection = ++log.connections;
    send(data) {
      log.passed.push([this.#connection, JSON.parse(data).n]);
      super.send(data);
    }
  }
  const socket = connect(parameters.get('url'), {
    messages: 'json',
    stamp: 'id',
    welcome: ({ complete }) => log.complete.push(complete),
    minPause: 50,
    maxPause: 500,
    maxBuffered: 1_000,
    WebSocket: RecordingWebSocket,
  });

  let n = 0;
  const answers = [];
  const say = (isLast) => {
    const message = { from, n: n++, isLast };
    answers.push(socket.send(message));
  };
  let wasOpen = false;
  socket.addEventListener('state', () => {
    if (socket.state === 'open') for (let i = 0; i < 3; i++) say();
    // More than there is room for.
    else if (wasOpen) for (let i = 0; i < 12; i++) say();
    wasOpen = socket.state === 'open';
  });
  new BroadcastChannel('orders').onmessage = ({ data }) => {
    if (data === 'say') for (let i = 0; i < 3; i++) say();
    else say(true);
  };
  const reading = (async () => {
    for await (const { id, isEnd } of socket) {
      log.received.push(id);
      if (isEnd) return;
    }
  })();
  window.finish = async () => {
    await reading;
    log.answers = await Promise.all(answers);
    await socket.close();
    return log;
  };
</script>`;
