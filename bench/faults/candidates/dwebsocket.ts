import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { attachWebsocket, requireWebsocket, type Websocket, type WebsocketOptions } from 'dwebsocket';
import { createGroups } from 'dwebsocket/groups';
import express, { Router, type Express } from 'express';
import {
  describeMessages,
  LONG_REASON,
  makeBroadcast,
  PINGS,
  running,
  type App,
  type Apps,
  type Running,
  type Tell,
} from '../app.js';
import * as parts from './express-parts.js';
import { addAsyncListener, addSocketIo, type AddNeighbour } from './neighbours.js';
import { fetchInVain } from './silent-server.js';

function serve(addRoutes: (app: Express) => unknown): Running {
  const app = express();
  addRoutes(app);
  return running(createServer(app));
}

const route =
  (handler: (websocket: Websocket, tell: Tell) => Promise<void>, options: WebsocketOptions = {}): App =>
  (tell) =>
    serve((app) => {
      app.get(
        '/ws',
        requireWebsocket((req) => handler(req.websocket, tell), options),
      );
      app.use(parts.reportError(tell));
    });

async function echoAll(websocket: Websocket): Promise<void> {
  for await (const message of websocket) websocket.send(message);
}

const echo = requireWebsocket((req) => echoAll(req.websocket));

const throwAtOnce = requireWebsocket(() => {
  throw new Error('thrown by the handler');
});

async function tick(websocket: Websocket): Promise<void> {
  do websocket.send('tick');
  while (await websocket.sleep(1_000));
}

/** Beside another listener for 'upgrade', as its page on shared servers says. */
function serveBeside(addNeighbour: AddNeighbour): Running {
  const result = serve((app) => app.get('/ws', echo));
  attachWebsocket(result.server, { owns: (req) => req.url === '/ws' });
  addNeighbour(result.server);
  return result;
}

export const apps: Apps = {
  echo: () => serve((app) => app.get('/ws', echo)),
  guarded: () => serve((app) => app.use(parts.decideFirst).get('/ws', echo)),
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
  collects: route(
    async (websocket, tell) => {
      await sleep(1_000);
      const messages: Buffer[] = [];
      for await (const message of websocket) messages.push(message as Buffer);
      tell(describeMessages(messages));
    },
    { maxQueue: 16 * 1024, heartbeat: 100 },
  ),
  ticks: route(tick),
  compressed: route(tick, { perMessageDeflate: true }),
  pings: route(async (websocket) => {
    for await (const message of websocket) {
      for (let i = 0; i < PINGS; i++) websocket.ping().catch(() => {});
      websocket.send(message);
    }
  }),
  fetches: route((websocket, tell) => fetchInVain(websocket.signal, tell)),
  longReason: route(async (websocket) => {
    await websocket.wait();
    await websocket.close(4000, LONG_REASON);
  }),
  answers: (tell) =>
    serve((app) => {
      app.get(
        '/ws',
        requireWebsocket((_req, res) => {
          res.json({ ok: true });
        }),
      );
      app.use(parts.reportError(tell));
    }),
  throws: route(async (websocket) => {
    await websocket.wait();
    throw new Error('thrown by the handler');
  }),
  lateErrorPage: (tell) => serve((app) => app.get('/ws', throwAtOnce).use(parts.answerErrorLater(tell))),
  accessLog: (tell) =>
    serve((app) => {
      app.use(parts.logAccess(tell));
      app.use(Router().get('/ws', throwAtOnce));
      app.use(parts.reportError(tell));
    }),
  router: () => serve((app) => app.use('/api', Router().get('/ws', echo))),
  uploads: (tell) =>
    serve((app) => {
      parts.addUploads(app, tell);
      app.get('/ws', echo);
    }),
  header: () =>
    serve((app) => {
      parts.addUserHeader(app);
      app.get('/ws', echo);
    }),
  fileOrigin: route(echoAll, { origins: ['file://'] }),
  broadcasts: () => {
    const everybody = createGroups().group('everybody');
    return serve((app) =>
      app.get(
        '/ws',
        requireWebsocket(async ({ websocket }) => {
          everybody.add(websocket);
          while ((await websocket.wait()) !== null) everybody.send(makeBroadcast());
        }),
      ),
    );
  },
  beside: () => serveBeside(addSocketIo),
  neighbour: () => serveBeside(addAsyncListener),
  events: () =>
    serve((app) => {
      parts.addEvents(app);
      app.get('/ws', echo);
    }),
};
