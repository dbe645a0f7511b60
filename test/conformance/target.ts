import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import express from 'express';
import { acceptWebsocket, attachWebsocket, type WebsocketOptions } from 'dwebsocket';
import { WebSocketServer, type PerMessageDeflateOptions } from 'ws';
import { Http2Tunnel, openSession } from '../support/http2-tunnel.js';
import type { Data } from './case.js';

/** What the server's side saw of one connection. */
export interface Account {
  received: Data[];
  /** `null` where the library does not tell. */
  closed: Promise<{ code: number; reason: string } | null>;
}

/** An echo server under test: `/echo?id=…`. */
export interface Target {
  port: number;
  /** Opens a connection in place of one to the port. */
  connect?: () => Socket;
  account(id: string): Account | Promise<Account>;
  stop(): Promise<void>;
}

/** How the conversations reach the server: each over a connection, or all as streams of one session of HTTP/2. */
export type Transport = 'http1' | 'http2';

/** `CONFORMANCE_TARGET=ws` runs the same cases against bare `ws`: to tell our faults from those of the suite. */
export const openTarget = (
  options: WebsocketOptions = {},
  transport: Transport = 'http1',
): Promise<Target> =>
  process.env['CONFORMANCE_TARGET'] === 'ws' ? openBareWs(options) : openOurs(options, transport);

async function openOurs(options: WebsocketOptions, transport: Transport): Promise<Target> {
  const accounts = new Accounts();
  const app = express();
  app.all(
    '/echo',
    acceptWebsocket(async (req, res) => {
      if (!req.isWebsocket()) {
        res.send('plain HTTP');
        return;
      }
      const { received, close } = accounts.add(req.query['id']);
      for await (const message of req.websocket) {
        received.push(message);
        req.websocket.send(message);
      }
      close(await req.websocket.closed);
    }, options),
  );
  return transport === 'http1' ? serve(createServer(app), accounts) : serveHttp2(app, accounts);
}

async function openBareWs(options: WebsocketOptions): Promise<Target> {
  const accounts = new Accounts();
  const server = createServer((_req, res) => res.end('plain HTTP'));
  const wss = new WebSocketServer({
    server,
    maxPayload: options.maxPayload ?? 2 ** 20,
    perMessageDeflate: (options.perMessageDeflate ?? false) as boolean | PerMessageDeflateOptions,
  });
  wss.on('connection', (ws, req) => {
    const { received, close } = accounts.add(new URL(req.url ?? '', 'ws://x').searchParams.get('id'));
    ws.on('error', () => undefined);
    ws.on('message', (data: Buffer, isBinary) => {
      const message = isBinary ? data : data.toString();
      received.push(message);
      ws.send(message);
    });
    ws.on('close', () => {
      close(null);
    });
  });
  return serve(server, accounts);
}

async function serveHttp2(app: express.Express, accounts: Accounts): Promise<Target> {
  const server = createHttp2Server({ maxSessionMemory: 100 }, app as never);
  attachWebsocket(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  // Some messages are larger than what Node buffers for a session by default (10 MB), on both sides.
  const session = await openSession(`http://127.0.0.1:${String(port)}`, { maxSessionMemory: 100 });
  return {
    connect: () => new Http2Tunnel(session).asSocket(),
    port,
    account: (id) => accounts.get(id),
    stop: async () => {
      session.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function serve(server: Server, accounts: Accounts): Promise<Target> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    account: (id) => accounts.get(id),
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

class Accounts {
  #accounts = new Map<string, Account>();

  add(id: unknown) {
    let close: (closed: Awaited<Account['closed']>) => void = () => undefined;
    const closed: Account['closed'] = new Promise((resolve) => (close = resolve));
    const received: Data[] = [];
    this.#accounts.set(String(id), { received, closed });
    return { received, close };
  }

  get(id: string): Account {
    const account = this.#accounts.get(id);
    if (account === undefined) throw new Error(`no websocket ${id} has reached the handler`);
    return account;
  }
}
