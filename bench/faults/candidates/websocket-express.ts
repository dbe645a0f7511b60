import { setTimeout as sleep } from 'node:timers/promises';
import { Router, WebSocketExpress } from 'websocket-express';
import { decide, LONG_REASON, running, type App, type Apps } from '../app.js';
import { handlers, type EventSocket } from './events.js';
import { addSocketIo } from './socket-io.js';

interface Socket extends EventSocket {
  nextMessage(options?: { timeout: number }): Promise<{ data: Buffer }>;
}

const route =
  (handler: (socket: Socket) => unknown): App =>
  (onError) => {
    const app = new WebSocketExpress();
    app.ws('/ws', async (_req, res) => {
      await handler((await res.accept()) as unknown as Socket);
    });
    app.use(((_error: unknown, _req: unknown, _res: unknown, next: (error?: unknown) => void) => {
      onError();
      next(_error);
    }) as never);
    return running(app.createServer());
  };

export const apps: Apps = {
  echo: route(handlers.echo),
  guarded: () => {
    const app = new WebSocketExpress();
    app.use(async (req: { url: string }, _res: unknown, next: () => void) => {
      await decide(req.url);
      next();
    });
    app.ws('/ws', async (_req, res) => handlers.echo((await res.accept()) as unknown as Socket));
    return running(app.createServer());
  },
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
  throws: route(async (socket) => {
    await socket.nextMessage();
    throw new Error('thrown by the handler');
  }),
  longReason: route(async (socket) => {
    await socket.nextMessage();
    socket.close(4000, LONG_REASON);
  }),
  beside: () => {
    const app = new WebSocketExpress();
    // As its README says for socket.io, in the syntax of Express 5.
    app.ws('/socket.io/{*rest}', (_req, res) => res.abandon());
    app.ws('/ws', async (_req, res) => handlers.echo((await res.accept()) as unknown as Socket));
    const server = app.createServer();
    addSocketIo(server);
    return running(server);
  },
  router: () => {
    const app = new WebSocketExpress();
    const router = new Router();
    router.ws('/ws', async (_req, res) => handlers.echo((await res.accept()) as unknown as Socket));
    app.use('/api', router);
    return running(app.createServer());
  },
};
