import { createServer, type Server } from 'node:http';
import express, { Router, type ErrorRequestHandler } from 'express';
import expressWs, { type Application } from 'express-ws';
import { decide, running, type App, type Apps } from '../app.js';
import { handlers, type EventSocket } from './events.js';
import { addSocketIo } from './socket-io.js';

function build(addRoutes: (app: Application, server: Server) => void): ReturnType<typeof running> {
  const plain = express();
  const server = createServer(plain);
  const { app } = expressWs(plain, server);
  addRoutes(app, server);
  return running(server);
}

const route =
  (handler: (socket: EventSocket) => unknown): App =>
  (onError) =>
    build((app) => {
      app.ws('/ws', (ws) => handler(ws));
      const report: ErrorRequestHandler = (_error, _req, _res, _next) => {
        onError();
      };
      app.use(report);
    });

export const apps: Apps = {
  echo: route(handlers.echo),
  guarded: () =>
    build((app) => {
      app.use(async (req, _res, next) => {
        await decide(req.url);
        next();
      });
      app.ws('/ws', handlers.echo);
    }),
  pull: route(handlers.pull),
  patience: route(handlers.patience),
  throws: route(handlers.throws),
  longReason: route(handlers.longReason),
  beside: () =>
    build((app, server) => {
      app.ws('/ws', handlers.echo);
      addSocketIo(server);
    }),
  router: () =>
    build((app) => {
      const router = Router() as unknown as expressWs.Router;
      router.ws('/ws', handlers.echo);
      app.use('/api', router);
    }),
};
