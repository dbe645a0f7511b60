import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import {
  attachWebsocket,
  requireWebsocket,
  type CloseInfo,
  type Websocket,
  type WebsocketOptions,
} from 'dwebsocket';
import express, { type Express } from 'express';
import { Inbox, within } from '../../../test/support/inbox.js';
import { CERTIFICATE } from '../../../test/support/serve.js';

/** What the server has seen of a websocket. */
export interface Visit {
  readonly path: string;
  /** The subprotocol that was agreed on. */
  readonly protocol: string;
  /** The extensions that the client has offered. */
  readonly offered: string;
  /** The protocol of the connection, over TLS. */
  readonly alpnProtocol: string | undefined;
  /** The HTTP version that the browser has used, if a proxy says so. */
  readonly frontVersion: string | undefined;
  /** The address and the scheme of the client, as a proxy has told them. */
  readonly client: { readonly ip: string | undefined; readonly protocol: string };
  /** How many bytes came and went over its connection after the handshake. */
  readonly read: number;
  readonly written: number;
  readonly end: CloseInfo;
}

/** What a step of the conversation has seen: see `conversation.ts`. */
export interface Step {
  readonly step: string;
  readonly [seen: string]: unknown;
}

/** The server that all clients talk to. */
export interface ClientsServer {
  readonly port: number;
  readonly server: http.Server | https.Server | http2.Http2SecureServer;
  /** The websockets that have ended, in order. */
  readonly visits: Inbox<Visit>;
  /** What the script of `/page` has told. */
  readonly told: Inbox<Step>;
  close(): Promise<void>;
}

/** The body of the response that refuses. */
export const REFUSAL = 'log in first';

/** `http2` also serves HTTP/1.1, and both over TLS. */
export type Protocol = 'http' | 'https' | 'http2';

/** Starts the server on a free port. */
export async function startServer({
  over = 'http',
  ...options
}: { over?: Protocol } & WebsocketOptions = {}) {
  const visits = new Inbox<Visit>();
  const told = new Inbox<Step>();
  const app = createApp(visits, told, options);
  const server = createServer(over, app);
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    if (sockets.size === 0 && !server.listening) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await within(closed, 'close of the server');
  };
  const { port } = server.address() as AddressInfo;
  return { port, server, visits, told, close } satisfies ClientsServer;
}

function createServer(protocol: Protocol, app: Express): ClientsServer['server'] {
  if (protocol === 'http') return http.createServer(app);
  if (protocol === 'https') return https.createServer(CERTIFICATE, app);
  const server = http2.createSecureServer({ ...CERTIFICATE, allowHTTP1: true }, app as never);
  attachWebsocket(server);
  return server;
}

function createApp(visits: Inbox<Visit>, told: Inbox<Step>, options: WebsocketOptions): Express {
  const app = express();
  app.set('trust proxy', 'loopback');

  const serve = (path: string, handler: (websocket: Websocket) => unknown, more: WebsocketOptions = {}) => {
    const route = requireWebsocket(
      async (req) => {
        const { socket } = req;
        const { alpnProtocol } = socket as { alpnProtocol?: string };
        const before = { read: socket.bytesRead, written: socket.bytesWritten };
        // Express trusts the header by the address of the socket, which is gone at the end.
        const client = { ip: req.get('x-forwarded-for'), protocol: req.protocol };
        await handler(req.websocket);
        const end = await req.websocket.closed;
        visits.push({
          path,
          protocol: req.websocket.protocol,
          offered: req.get('sec-websocket-extensions') ?? '',
          alpnProtocol,
          frontVersion: req.get('x-front-version') ?? req.get('via'),
          client,
          read: socket.bytesRead - before.read,
          written: socket.bytesWritten - before.written,
          end,
        });
      },
      { ...options, ...more },
    );
    app.get(path, route);
  };
  const echo = async (websocket: Websocket) => {
    for await (const message of websocket) {
      if (message === 'ping me') await websocket.ping();
      websocket.send(message);
    }
  };

  serve('/echo', echo, { protocols: ['chat'] });
  serve('/without-heartbeat', echo, { heartbeat: false });
  serve('/compressed', echo, { perMessageDeflate: true });
  serve('/goodbye', (websocket) => websocket.close(4002, 'später'));
  serve('/lost', async (websocket) => {
    await websocket.wait();
    websocket.request.socket.destroy();
  });
  app.get('/refused', (_req, res) => res.status(401).type('text').send(REFUSAL));

  const root = fileURLToPath(new URL('../programs', import.meta.url));
  app.get(['/page.html', '/standard.mjs'], (req, res) => res.sendFile(req.path, { root }));
  app.post('/told', express.json(), (req, res) => {
    told.push(req.body as Step);
    res.end();
  });
  return app;
}
