import { setTimeout as sleep } from 'node:timers/promises';
import { Router, WebSocketExpress, type WSRequestHandler } from 'websocket-express';
import { LONG_REASON, running, type App, type Apps, type Running, type Tell } from '../app.js';
import { handlers, type EventSocket } from './events.js';
import * as parts from './express-parts.js';
import { addAsyncListener, addSocketIo } from './neighbours.js';

interface Socket extends EventSocket {
  nextMessage(options?: { timeout: number }): Promise<{ data: Buffer }>;
}

function serve(addRoutes: (app: WebSocketExpress) => unknown): Running {
  const app = new WebSocketExpress();
  addRoutes(app);
  return running(app.createServer());
}

const accept =
  (handler: (socket: Socket) => unknown): WSRequestHandler =>
  async (_req, res) => {
    await handler((await res.accept()) as unknown as Socket);
  };

const route =
  (handler: (socket: Socket, tell: Tell) => unknown): App =>
  (tell) =>
    serve((app) => {
      app.ws(
        '/ws',
        accept((socket) => handler(socket, tell)),
      );
      app.use(parts.reportError(tell));
    });

export const apps: Apps = {
  echo: route(handlers.echo),
  guarded: () =>
    serve((app) => {
      app.use(parts.decideFirst);
      app.ws('/ws', accept(handlers.echo));
    }),
  pull: route(async (socket) => {
    const { data: first } = await socket.nextMessage();
    await sleep(50);
    const { data: second } = await socket.nextMessage();
    socket.send(first.toString() + second.toString());
  }),
  patience: route(async (socket) => {
    await socket.nextMessage({ timeout: 50 }).catch(() => socket.send('late'));
    const { data } = await socket.nextMessage();
    socket.send(data.toString());
  }),
  collects: route(handlers.collects),
  ticks: route(handlers.ticks),
  compressed: null,
  pings: route(handlers.pings),
  fetches: null,
  longReason: route(async (socket) => {
    await socket.nextMessage();
    socket.close(4000, LONG_REASON);
  }),
  answers: () =>
    serve((app) => {
      app.ws('/ws', async (_req, res) => {
        await res.accept();
        res.json({ ok: true });
      });
    }),
  throws: route(async (socket) => {
    await socket.nextMessage();
    throw new Error('thrown by the handler');
  }),
  lateErrorPage: (tell) =>
    serve((app) => {
      app.ws('/ws', accept(handlers.throwsAtOnce));
      app.use(parts.answerErrorLater(tell));
    }),
  // Middleware of others is for plain HTTP only: its `res` has no events.
  accessLog: null,
  router: () =>
    serve((app) => {
      const router = new Router();
      router.ws('/ws', accept(handlers.echo));
      app.use('/api', router);
    }),
  uploads: (tell) =>
    serve((app) => {
      // What others have written is added with `useHTTP`, as its README says.
      parts.addUploads({ use: app.useHTTP.bind(app), post: app.post.bind(app) }, tell);
      app.ws('/ws', accept(handlers.echo));
    }),
  header: null,
  fileOrigin: null,
  broadcasts: null,
  beside: () => {
    const { server, stop } = serve((app) => {
      // As its README says for socket.io, in the syntax of Express 5.
      app.ws('/socket.io/{*rest}', (_req, res) => res.abandon());
      app.ws('/ws', accept(handlers.echo));
    });
    addSocketIo(server);
    return { server, stop };
  },
  neighbour: () => {
    const result = serve((app) => app.ws('/ws', accept(handlers.echo)));
    addAsyncListener(result.server);
    return result;
  },
  events: () =>
    serve((app) => {
      parts.addEvents(app);
      app.ws('/ws', accept(handlers.echo));
    }),
};
