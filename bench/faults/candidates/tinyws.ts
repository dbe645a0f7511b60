import { createServer } from 'node:http';
import express, { Router, type Express, type Request, type RequestHandler } from 'express';
import { tinyws, type TinyWSOptions, type TinyWSRequest } from 'tinyws';
import { running, type App, type Apps, type Running, type Tell } from '../app.js';
import { handlers, type EventSocket } from './events.js';
import * as parts from './express-parts.js';
import { addAsyncListener, addSocketIo, type AddNeighbour } from './neighbours.js';

/** As its README has it: a handler looks for `req.ws`. */
const accept =
  (handler: (socket: EventSocket) => unknown): RequestHandler =>
  async (req, _res, next) => {
    const { ws } = req as Request & Partial<TinyWSRequest>;
    if (ws) await handler(await ws());
    else next();
  };

function serve(addRoutes: (app: Express) => unknown, options?: TinyWSOptions): Running {
  const app = express();
  addRoutes(app);
  const server = createServer(app);
  // Its documentation passes a tinyhttp app, which has a `handler`; an Express app is one.
  tinyws({ handler: app }, server, options);
  return running(server);
}

const route =
  (handler: (socket: EventSocket, tell: Tell) => unknown, options?: TinyWSOptions): App =>
  (tell) =>
    serve((app) => {
      app.use(
        '/ws',
        accept((socket) => handler(socket, tell)),
      );
      app.use(parts.reportError(tell));
    }, options);

/** Beside another listener for 'upgrade': its option `paths` says which are its own. */
function serveBeside(addNeighbour: AddNeighbour): Running {
  const result = serve((app) => app.use('/ws', accept(handlers.echo)), { paths: '/ws' });
  addNeighbour(result.server);
  return result;
}

export const apps: Apps = {
  echo: route(handlers.echo),
  guarded: () => serve((app) => app.use(parts.decideFirst).get('/ws', accept(handlers.echo))),
  pull: route(handlers.pull),
  patience: route(handlers.patience),
  collects: route(handlers.collects),
  ticks: route(handlers.ticks),
  compressed: route(handlers.ticks, { perMessageDeflate: true }),
  pings: route(handlers.pings),
  fetches: null,
  longReason: route(handlers.longReason),
  answers: () =>
    serve((app) =>
      app.use('/ws', async (req, res) => {
        await (req as Request & TinyWSRequest).ws();
        res.json({ ok: true });
      }),
    ),
  throws: route(handlers.throws),
  lateErrorPage: (tell) =>
    serve((app) => app.use('/ws', accept(handlers.throwsAtOnce)).use(parts.answerErrorLater(tell))),
  accessLog: (tell) =>
    serve((app) => {
      app.use(parts.logAccess(tell));
      app.use(Router().use('/ws', accept(handlers.throwsAtOnce)));
      app.use(parts.reportError(tell));
    }),
  router: () => serve((app) => app.use('/api', Router().use('/ws', accept(handlers.echo)))),
  uploads: (tell) =>
    serve((app) => {
      parts.addUploads(app, tell);
      app.use('/ws', accept(handlers.echo));
    }),
  header: null,
  fileOrigin: null,
  broadcasts: null,
  beside: () => serveBeside(addSocketIo),
  neighbour: () => serveBeside(addAsyncListener),
  events: () =>
    serve((app) => {
      parts.addEvents(app);
      app.use('/ws', accept(handlers.echo));
    }),
};
