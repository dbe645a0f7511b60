// Where a wrapped handler can go. Compiled, never run.
import http, { createServer, type RequestListener } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import connect from 'connect';
import express, { Router, type ErrorRequestHandler, type RequestHandler } from 'express';
import {
  acceptWebsocket,
  attachWebsocket,
  closeWebsockets,
  limitOpen,
  openWebsockets,
  passUpgrade,
  requireWebsocket,
  websocketMiddleware,
  type Websocket,
  type WebsocketRoute,
} from 'dwebsocket';
import { is } from './expect.js';

const route = acceptWebsocket((_req, res) => res.end());
is<WebsocketRoute>()(route);

const mustBeMember: RequestHandler = (_req, _res, next) => {
  next();
};
const onError: ErrorRequestHandler = (_error, _req, res, _next) => {
  res.sendStatus(500);
};

const app = express();
app.get('/echo', route);
app.get('/room/:id', mustBeMember, route);
app.get('/room/:id/:seat', [mustBeMember, route], route);
app.all('/any', route);
app.use(route);
app.use('/prefix', mustBeMember, route);
app.route('/chained').get(route).post(route);
app.use(websocketMiddleware(), onError);

// Some libraries declare more than the Duplex of Node's own types.
const library = { handleUpgrade: (_req: http.IncomingMessage, socket: Socket) => socket.setNoDelay() };
app.get('/library', passUpgrade(library.handleUpgrade));
app.get(
  '/inline',
  passUpgrade((_req, socket, head) => {
    is<Duplex>()(socket);
    is<Buffer>()(head);
  }),
);

const router = Router();
router.get('/:id', route);
router.use(requireWebsocket((req) => req.websocket.close()));
app.use(router);

// Beside other handlers of the route, whose parameters are still inferred.
app.get(
  '/user/:name',
  (req, _res, next) => {
    req.params.name.toUpperCase();
    next();
  },
  route,
);

app.use(limitOpen({ max: 50 }));
app.get(
  '/limited/:room',
  limitOpen({ max: 5, by: (req, res) => req.ip ?? (res.locals.user as string | undefined) }),
  limitOpen({ max: 5, by: async (req) => Promise.resolve(req.params.room), retryAfter: 10 }),
  limitOpen({ max: 5, by: (req: express.Request & { user: { id: number } }) => req.user.id }),
  route,
);
declare const expires: Date | null;
requireWebsocket(
  ({ websocket }) => {
    websocket.closeAt(expires);
    websocket.closeAt(Date.now() + 1_000, 4401, 'log in');
  },
  { messageRate: { count: 20, per: 1_000 } },
);
requireWebsocket(() => {}, { messageRate: false });

const other = connect();
other.use(limitOpen({ max: 5, by: (req) => req.socket.remoteAddress }));
other.use(route);
other.use('/echo', route);
other.use(websocketMiddleware({ acceptAll: true }));

createServer(route);
https.createServer({}, route);
export const handler: RequestHandler = route;
export const listener: RequestListener = route;

const server = http.createServer(app);
const detach = attachWebsocket(server, { owns: (req) => req.url?.startsWith('/chat/') === true });
is<() => void>()(detach);
attachWebsocket(https.createServer(app));
attachWebsocket(app.listen());
is<ReadonlySet<Websocket>>()(openWebsockets(server));
is<Promise<void>>()(closeWebsockets(server, { code: 1001, timeout: 1_000, over: 30_000 }));
