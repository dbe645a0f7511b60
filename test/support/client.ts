import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { onTestFinished } from 'vitest';
import { WebSocket, type ClientOptions } from 'ws';
import { Inbox, within } from './inbox.js';
import type { Site } from './serve.js';

export interface ConnectOptions extends ClientOptions {
  protocols?: string[];
}

/** An honest client that keeps what it gets until the test asks for it. */
export class Client {
  readonly ws: WebSocket;
  /** The headers of the 101. */
  headers: IncomingHttpHeaders = {};
  readonly #messages = new Inbox<string | Buffer>();
  readonly #closed: Promise<{ code: number; reason: string }>;

  constructor(ws: WebSocket) {
    this.ws = ws;
    ws.on('upgrade', ({ headers }: IncomingMessage) => (this.headers = headers));
    ws.on('message', (data: Buffer, isBinary) => {
      this.#messages.push(isBinary ? data : data.toString());
    });
    // 'close' tells of it, too, as 1006.
    ws.on('error', () => {});
    this.#closed = new Promise((resolve) => {
      ws.on('close', (code, reason) => {
        const closed = { code, reason: reason.toString() };
        this.#messages.end(new Error(`closed before a message came: ${JSON.stringify(closed)}`));
        resolve(closed);
      });
    });
  }

  send(...messages: (string | Buffer)[]): void {
    for (const message of messages) this.ws.send(message);
  }

  /** The next message; rejects when the websocket closes instead. */
  next(): Promise<string | Buffer> {
    return this.#messages.next('message');
  }

  /** As many messages as asked for. */
  async take(count: number): Promise<(string | Buffer)[]> {
    const messages: (string | Buffer)[] = [];
    while (messages.length < count) messages.push(await this.next());
    return messages;
  }

  /** What has come and was not read. */
  unread(): (string | Buffer)[] {
    return this.#messages.rest();
  }

  /** Resolves when the server has got all that was sent before: a pong comes in the order of what was sent. */
  async flush(): Promise<void> {
    const pong = once(this.ws, 'pong');
    this.ws.ping('flush');
    await within(pong, 'pong');
  }

  /** The code and the reason that the client sees, when the connection has ended. */
  closed(): Promise<{ code: number; reason: string }> {
    return within(this.#closed, 'close');
  }

  close(code?: number, reason?: string): Promise<{ code: number; reason: string }> {
    this.ws.close(code, reason);
    return this.closed();
  }

  /** Leaves without a word. */
  async vanish(): Promise<void> {
    this.ws.terminate();
    await this.closed();
  }
}

/** Opens a websocket; rejects when it is refused. Whatever is left of it ends with the test. */
export async function connect(
  site: Pick<Site, 'port'> & Partial<Pick<Site, 'tls'>>,
  path = '/',
  options: ConnectOptions = {},
): Promise<Client> {
  const { protocols = [], ...rest } = options;
  const url = `${site.tls ? 'wss' : 'ws'}://127.0.0.1:${site.port}${path}`;
  const ws = new WebSocket(url, protocols, { rejectUnauthorized: false, ...rest });
  const client = new Client(ws);
  onTestFinished(() => {
    ws.terminate();
  });
  const opened = new Promise((resolve, reject) => {
    ws.on('open', resolve);
    ws.on('error', reject);
    ws.on('unexpected-response', (_req, res: IncomingMessage) => {
      res.resume();
      reject(new Error(`${path} answered the handshake with ${res.statusCode!}`));
    });
  });
  await within(opened, 'handshake');
  return client;
}
