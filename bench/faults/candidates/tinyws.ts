import { createServer } from 'node:http';
import express, { Router, type ErrorRequestHandler, type Express, type Request } from 'express';
import { tinyws, type TinyWSRequest } from 'tinyws';
import { decide, running, type App, type Apps } from '../app.js';
import { handlers, type EventSocket } from './events.js';
import { addSocketIo } from './socket-io.js';

const accept =
  (handler: (socket: EventSocket) => unknown) =>
  async (req: Request): Promise<void> => {
    await handler(await (req as Request & TinyWSRequest).ws());
  };

function serve(app: Express): ReturnType<typeof running> {
  const server = createServer(app);
  // Its documentation passes a tinyhttp app, which has a `handler`; an Express app is one.
  tinyws({ handler: app }, server);
  return running(server);
}

const route =
  (handler: (socket: EventSocket) => unknown): App =>
  (onError) => {
    const app = express();
    app.use('/ws', accept(handler));
    const report: ErrorRequestHandler = (error, _req, _res, next) => {
      onError();
      next(error);
    };
    app.use(report);
    return serve(app);
  };

export const apps: Apps = {
  echo: route(handlers.echo),
  guarded: () => {
    const app = express();
    app.use(async (req, _res, next) => {
      await decide(req.url);
      next();
    });
    app.get('/ws', (req, res, next) => {
      if ('ws' in req) void accept(handlers.echo)(req);
      else next();
    });
    return serve(app);
  },
  pull: route(handlers.pull),
  patience: route(handlers.patience),
  throws: route(handlers.throws),
  longReason: route(handlers.longReason),
  beside: () => {
    const app = express();
    app.use('/ws', accept(handlers.echo));
    const server = createServer(app);
    tinyws({ handler: app }, server, { paths: '/ws' });
    addSocketIo(server);
    return running(server);
  },
  router: () => serve(express().use('/api', Router().use('/ws', accept(handlers.echo)))),
};
