import { createServer } from 'node:http';
import express, { Router } from 'express';
import expressWs, { type Instance, type Options } from 'express-ws';
import { running, USER_HEADER, type App, type Apps, type Running, type Tell } from '../app.js';
import { handlers, type EventSocket } from './events.js';
import * as parts from './express-parts.js';
import { addAsyncListener, addSocketIo, type AddNeighbour } from './neighbours.js';

function serve(addRoutes: (instance: Instance) => unknown, options?: Options): Running {
  const plain = express();
  const server = createServer(plain);
  addRoutes(expressWs(plain, server, options));
  return running(server);
}

const route =
  (handler: (socket: EventSocket, tell: Tell) => unknown, options?: Options): App =>
  (tell) =>
    serve(({ app }) => {
      app.ws('/ws', (ws) => handler(ws, tell));
      app.use(parts.reportError(tell));
    }, options);

function serveBeside(addNeighbour: AddNeighbour): Running {
  const result = serve(({ app }) => app.ws('/ws', handlers.echo));
  addNeighbour(result.server);
  return result;
}

export const apps: Apps = {
  echo: route(handlers.echo),
  guarded: () =>
    serve(({ app }) => {
      app.use(parts.decideFirst);
      app.ws('/ws', handlers.echo);
    }),
  pull: route(handlers.pull),
  patience: route(handlers.patience),
  collects: route(handlers.collects),
  ticks: route(handlers.ticks),
  compressed: route(handlers.ticks, { wsOptions: { perMessageDeflate: true } }),
  pings: route(handlers.pings),
  fetches: null,
  longReason: route(handlers.longReason),
  answers: null,
  throws: route(handlers.throws),
  lateErrorPage: (tell) =>
    serve(({ app }) => {
      app.ws('/ws', handlers.throwsAtOnce);
      app.use(parts.answerErrorLater(tell));
    }),
  accessLog: (tell) =>
    serve(({ app, applyTo }) => {
      app.use(parts.logAccess(tell));
      const router = Router() as unknown as expressWs.Router;
      applyTo(router);
      router.ws('/ws', handlers.throwsAtOnce);
      app.use(router);
      app.use(parts.reportError(tell));
    }),
  router: () =>
    serve(({ app }) => {
      const router = Router() as unknown as expressWs.Router;
      router.ws('/ws', handlers.echo);
      app.use('/api', router);
    }),
  uploads: (tell) =>
    serve(({ app }) => {
      parts.addUploads(app, tell);
      app.ws('/ws', handlers.echo);
    }),
  // What middleware sets does not go out with the 101; the server of `ws` has an event for that.
  header: () =>
    serve(({ app, getWss }) => {
      parts.addUserHeader(app);
      app.ws('/ws', handlers.echo);
      getWss().on('headers', (headers) => headers.push(USER_HEADER.join(': ')));
    }),
  fileOrigin: null,
  broadcasts: () =>
    serve(({ app, getWss }) => app.ws('/ws', (ws) => handlers.broadcasts(ws, getWss().clients))),
  beside: () => serveBeside(addSocketIo),
  neighbour: () => serveBeside(addAsyncListener),
  events: () =>
    serve(({ app }) => {
      parts.addEvents(app);
      app.ws('/ws', handlers.echo);
    }),
};
