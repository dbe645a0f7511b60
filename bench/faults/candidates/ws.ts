import { createServer } from 'node:http';
import express, { type Express } from 'express';
import { WebSocketServer, type ServerOptions, type WebSocket } from 'ws';
import { decide, running, USER_HEADER, type App, type Apps, type Running, type Tell } from '../app.js';
import { handlers, type EventSocket } from './events.js';
import * as parts from './express-parts.js';
import { addAsyncListener, addSocketIo, type AddNeighbour } from './neighbours.js';

type Handler = (socket: EventSocket, tell: Tell) => unknown;

/** As its README has it: an 'error' listener on each websocket. */
function serve(
  addRoutes: (app: Express) => unknown,
  handler: Handler = handlers.echo,
  tell: Tell = () => {},
  options: ServerOptions = {},
): Running & { websockets: WebSocketServer } {
  const app = express();
  addRoutes(app);
  const server = createServer(app);
  const websockets = new WebSocketServer({ server, path: '/ws', ...options });
  websockets.on('connection', (ws: WebSocket) => {
    ws.on('error', console.error);
    return handler(ws, tell);
  });
  return { ...running(server), websockets };
}

const route =
  (handler: Handler, options?: ServerOptions): App =>
  (tell) =>
    serve(() => {}, handler, tell, options);

/** "Client authentication" in its README: an 'error' listener on the socket, too, while a client is authenticated. */
function serveGuarded(): Running {
  const server = createServer(express().use(parts.decideFirst));
  const websockets = new WebSocketServer({ noServer: true });
  websockets.on('connection', (ws) => {
    ws.on('error', console.error);
    handlers.echo(ws);
  });
  server.on('upgrade', (req, socket, head) => {
    socket.on('error', console.error);
    void decide().then(() => {
      socket.removeListener('error', console.error);
      websockets.handleUpgrade(req, socket, head, (ws) => websockets.emit('connection', ws, req));
    });
  });
  return running(server);
}

/** "Multiple servers sharing a single HTTP/S server" in its README. */
function serveBeside(addNeighbour: AddNeighbour): Running {
  const server = createServer(express());
  const websockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (req, socket, head) => {
    if (req.url === '/ws') websockets.handleUpgrade(req, socket, head, handlers.echo);
  });
  addNeighbour(server);
  return running(server);
}

export const apps: Apps = {
  echo: route(handlers.echo),
  guarded: serveGuarded,
  pull: route(handlers.pull),
  patience: route(handlers.patience),
  collects: route(handlers.collects),
  ticks: route(handlers.ticks),
  compressed: route(handlers.ticks, { perMessageDeflate: true }),
  pings: route(handlers.pings),
  fetches: null,
  longReason: route(handlers.longReason),
  answers: null,
  throws: route(handlers.throws),
  lateErrorPage: null,
  accessLog: null,
  router: null,
  uploads: (tell) => serve((app) => parts.addUploads(app, tell)),
  header: () => {
    const result = serve(parts.addUserHeader);
    result.websockets.on('headers', (headers) => headers.push(USER_HEADER.join(': ')));
    return result;
  },
  fileOrigin: null,
  // "Server broadcast" in its README.
  broadcasts: () => {
    const result = serve(
      () => {},
      (socket) => handlers.broadcasts(socket, result.websockets.clients),
    );
    return result;
  },
  beside: () => serveBeside(addSocketIo),
  neighbour: () => serveBeside(addAsyncListener),
  events: () => serve(parts.addEvents),
};
