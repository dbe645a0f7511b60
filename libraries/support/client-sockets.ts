import { onTestFinished } from 'vitest';
import { WebSocket, type ClientOptions } from 'ws';
import { within } from '../../test/support/inbox.js';

/** The WebSockets that a library's client creates, so that a test can end their connections. */
export interface ClientSockets {
  /** The class that the client gets. */
  readonly WebSocket: typeof WebSocket;
  /** Ends the newest connection without a close frame. */
  loseConnection(): void;
  /** Resolves with the close code of the newest connection when it has ended. */
  closed(): Promise<number>;
}

/** Creates a WebSocket class for a library's client. Its connections end with the test. */
export function watchSockets(options: ClientOptions = {}): ClientSockets {
  let newest: WebSocket;
  let closed: Promise<number>;
  return {
    WebSocket: class extends WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols, options);
        newest = this;
        closed = new Promise((resolve) => this.once('close', resolve));
        onTestFinished(() => this.terminate());
      }
    },
    loseConnection: () => newest.terminate(),
    closed: () => within(closed, 'close'),
  };
}
