import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { within } from '../../test/support/inbox.js';

/** The WebSockets that a library's client creates, so that a test can end their connections. */
export interface ClientSockets {
  /** The class that the client gets. */
  readonly WebSocket: new (url: string | URL, protocols?: string | string[]) => WebSocket;
  /** Ends the newest connection without a close frame. */
  loseConnection(): void;
  /** Resolves with the close code of the newest connection when it has ended. */
  closed(): Promise<number>;
}

/** Creates a WebSocket class for a library's client. Its connections end with the test. */
export function watchSockets(): ClientSockets {
  let newest: WebSocket;
  let closed: Promise<number>;
  const watch = (socket: WebSocket) => {
    newest = socket;
    closed = new Promise((resolve) => socket.once('close', resolve));
    onTestFinished(() => socket.terminate());
  };
  return {
    WebSocket: class extends WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols);
        watch(this);
      }
    },
    loseConnection: () => newest.terminate(),
    closed: () => within(closed, 'close'),
  };
}
