import websocket from '@fastify/websocket';
import fastify, { type FastifyInstance } from 'fastify';
import { decide, type App, type Apps, type Running } from '../app.js';
import { handlers, type EventSocket } from './events.js';
import { addSocketIo } from './socket-io.js';

async function serve(addRoutes: (app: FastifyInstance) => unknown, onError?: () => void): Promise<Running> {
  const app = fastify();
  await app.register(websocket, {
    ...(onError && {
      errorHandler: (_error: Error, socket: { terminate(): void }) => {
        onError();
        socket.terminate();
      },
    }),
  });
  await addRoutes(app);
  await app.ready();
  return { server: app.server, stop: () => app.close() };
}

const route =
  (handler: (socket: EventSocket) => unknown): App =>
  (onError) =>
    serve((app) => app.get('/ws', { websocket: true }, (socket) => handler(socket) as never), onError);

export const apps: Apps = {
  echo: () => serve((app) => app.get('/ws', { websocket: true }, handlers.echo)),
  guarded: () =>
    serve((app) => {
      app.addHook('onRequest', (req) => decide(req.url));
      return app.get('/ws', { websocket: true }, handlers.echo);
    }),
  pull: route(handlers.pull),
  patience: route(handlers.patience),
  throws: route(handlers.throws),
  longReason: route(handlers.longReason),
  beside: async () => {
    const result = await serve((app) => app.get('/ws', { websocket: true }, handlers.echo));
    addSocketIo(result.server);
    return result;
  },
  router: () =>
    serve((app) =>
      app.register(
        (instance) => Promise.resolve(void instance.get('/ws', { websocket: true }, handlers.echo)),
        {
          prefix: '/api',
        },
      ),
    ),
};
