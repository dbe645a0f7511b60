import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import websocket from '@fastify/websocket';
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { decide, USER_HEADER, type App, type Apps, type Running, type Tell } from '../app.js';
import { handlers, type EventSocket } from './events.js';
import { addAsyncListener, addSocketIo, type AddNeighbour } from './neighbours.js';
import { fetchInVain } from './silent-server.js';

type Options = NonNullable<Parameters<typeof websocket>[1]>;

async function serve(addRoutes: (app: FastifyInstance) => unknown, options: Options = {}): Promise<Running> {
  const app = fastify();
  await app.register(websocket, options);
  await addRoutes(app);
  await app.ready();
  return { server: app.server, stop: () => app.close() };
}

const addEcho = (app: FastifyInstance) => app.get('/ws', { websocket: true }, handlers.echo);

/** With the plugin's own error handler, as its README has it: it gets the errors of handlers, Fastify's does not. */
const route =
  (
    handler: (socket: EventSocket, tell: Tell, req: FastifyRequest) => unknown,
    options?: Options['options'],
  ): App =>
  (tell) =>
    serve(
      (app) => app.get('/ws', { websocket: true }, (socket, req) => handler(socket, tell, req) as never),
      {
        ...(options && { options }),
        errorHandler: (_error, socket) => {
          tell('error');
          socket.terminate();
        },
      },
    );

async function serveBeside(addNeighbour: AddNeighbour): Promise<Running> {
  const result = await serve(addEcho);
  addNeighbour(result.server);
  return result;
}

async function* eventsForEver(): AsyncGenerator<string> {
  for (;;) {
    yield 'data: now\n\n';
    await sleep(50);
  }
}

export const apps: Apps = {
  echo: route(handlers.echo),
  guarded: () =>
    serve((app) => {
      app.addHook('onRequest', (req) => decide(req.url));
      return addEcho(app);
    }),
  pull: route(handlers.pull),
  patience: route(handlers.patience),
  collects: route(handlers.collects),
  ticks: route(handlers.ticks),
  compressed: route(handlers.ticks, { perMessageDeflate: true }),
  pings: route(handlers.pings),
  fetches: route((_socket, tell, req) => fetchInVain(req.signal, tell)),
  longReason: route(handlers.longReason),
  answers: null,
  throws: route(handlers.throws),
  // Errors of handlers do not reach what answers HTTP, and hooks that run after the response do not run.
  lateErrorPage: null,
  accessLog: null,
  router: () =>
    serve((app) =>
      app.register((instance) => Promise.resolve(void addEcho(instance)), {
        prefix: '/api',
      }),
    ),
  uploads: (tell) =>
    serve((app) => {
      app.addHook('onRequest', (req, _reply, done) => {
        tell(`${req.method} ${req.url}`);
        done();
      });
      app.post('/upload', (req) => Promise.resolve(String((req.body as string).length)));
      return addEcho(app);
    }),
  header: () =>
    serve((app) => {
      app.addHook('onRequest', (_req, reply, done) => {
        void reply.header(...USER_HEADER);
        done();
      });
      app.websocketServer.on('headers', (headers) => headers.push(USER_HEADER.join(': ')));
      app.get('/', (_req, reply) => reply.send());
      return addEcho(app);
    }),
  fileOrigin: null,
  broadcasts: () =>
    serve((app) =>
      app.get('/ws', { websocket: true }, (socket) =>
        handlers.broadcasts(socket, app.websocketServer.clients),
      ),
    ),
  beside: () => serveBeside(addSocketIo),
  neighbour: () => serveBeside(addAsyncListener),
  events: () =>
    serve((app) => {
      app.get('/events', (_req, reply) =>
        reply.type('text/event-stream').send(Readable.from(eventsForEver())),
      );
      return addEcho(app);
    }),
};
