import { createServer, type RequestListener } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { attachWebsocket, requireWebsocket, type Websocket } from 'dwebsocket';
import express, { Router, type ErrorRequestHandler, type Express } from 'express';
import { decide, LONG_REASON, running, type App, type Apps } from '../app.js';
import { addSocketIo } from './socket-io.js';

const echo = requireWebsocket(async (req) => {
  for await (const message of req.websocket) req.websocket.send(message);
});

const serve = (app: RequestListener) => running(createServer(app));

const route =
  (handler: (websocket: Websocket) => Promise<void>): App =>
  (onError) => {
    const app: Express = express();
    app.get(
      '/ws',
      requireWebsocket((req) => handler(req.websocket)),
    );
    const report: ErrorRequestHandler = (_error, _req, _res, _next) => {
      onError();
    };
    app.use(report);
    return serve(app);
  };

export const apps: Apps = {
  echo: () => serve(express().get('/ws', echo)),
  guarded: () => {
    const app = express();
    app.use(async (req, _res, next) => {
      await decide(req.url);
      next();
    });
    app.get('/ws', echo);
    return serve(app);
  },
  pull: route(async (websocket) => {
    const first = await websocket.wait();
    await sleep(50);
    websocket.send(String(first) + String(await websocket.wait()));
    await websocket.closed;
  }),
  patience: route(async (websocket) => {
    if ((await websocket.wait(50)) === null) websocket.send('late');
    const message = await websocket.wait();
    if (message !== null) websocket.send(message);
    await websocket.closed;
  }),
  throws: route(async (websocket) => {
    await websocket.wait();
    throw new Error('thrown by the handler');
  }),
  longReason: route(async (websocket) => {
    await websocket.wait();
    await websocket.close(4000, LONG_REASON);
  }),
  beside: () => {
    const result = serve(express().get('/ws', echo));
    attachWebsocket(result.server, { owns: (req) => req.url === '/ws' });
    addSocketIo(result.server);
    return result;
  },
  router: () => serve(express().use('/api', Router().get('/ws', echo))),
};
