import { createServer } from 'node:http';
import express from 'express';
import { WebSocketServer, type WebSocket } from 'ws';
import { decide, running, type App, type Apps } from '../app.js';
import { handlers, type EventSocket } from './events.js';
import { addSocketIo } from './socket-io.js';

// As its README has it: an 'error' listener on each websocket, and on a socket while a client is authenticated.
const route =
  (handler: (socket: EventSocket) => unknown): App =>
  () => {
    const server = createServer(express());
    new WebSocketServer({ server, path: '/ws' }).on('connection', (ws: WebSocket) => {
      ws.on('error', console.error);
      return handler(ws);
    });
    return running(server);
  };

export const apps: Apps = {
  echo: route(handlers.echo),
  guarded: () => {
    const app = express();
    app.use(async (req, _res, next) => {
      await decide(req.url);
      next();
    });
    const server = createServer(app);
    const wss = new WebSocketServer({ noServer: true });
    wss.on('connection', (ws) => {
      ws.on('error', console.error);
      handlers.echo(ws);
    });
    server.on('upgrade', (req, socket, head) => {
      socket.on('error', console.error);
      void decide().then(() => {
        socket.removeListener('error', console.error);
        wss.handleUpgrade(req, socket, head, (ws) => wss.emit('connection', ws, req));
      });
    });
    return running(server);
  },
  pull: route(handlers.pull),
  patience: route(handlers.patience),
  throws: route(handlers.throws),
  longReason: route(handlers.longReason),
  // "Multiple servers sharing a single HTTP/S server" in its README.
  beside: () => {
    const server = createServer(express());
    const wss = new WebSocketServer({ noServer: true });
    server.on('upgrade', (req, socket, head) => {
      if (req.url === '/ws') wss.handleUpgrade(req, socket, head, handlers.echo);
    });
    addSocketIo(server);
    return running(server);
  },
  router: null,
};
