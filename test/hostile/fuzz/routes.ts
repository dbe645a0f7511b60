import express, { type ErrorRequestHandler, type Express } from 'express';
import {
  acceptWebsocket,
  requireWebsocket,
  websocketMiddleware,
  type Websocket,
  type WebsocketOptions,
} from 'dwebsocket';
import { slowTextSchema } from '../../support/schemas.js';

// Short, so that the end of a run need not be waited for; but 2,000 clients must have time to connect.
const impatient: WebsocketOptions = { closeTimeout: 300, heartbeat: 20_000 };

const turn = () => new Promise(setImmediate);
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const handlers: Record<string, (websocket: Websocket) => unknown> = {
  late: async (websocket) => {
    await pause(5);
    let message;
    while ((message = await websocket.wait()) !== null) websocket.send(message);
  },
  once: async (websocket) => websocket.send((await websocket.wait(20)) ?? 'nothing'),
  push: async (websocket) => {
    for (let i = 0; i < 50; i++) if (!(await websocket.send(`message ${i}`))) return;
  },
  flood: async (websocket) => {
    for (let i = 0; i < 500 && !websocket.isClosed(); i++) {
      websocket.send(Buffer.alloc(16_384));
      await turn();
    }
  },
  close: (websocket) => websocket.close(4_000, 'go'),
  throws: async (websocket) => {
    await websocket.wait(5);
    throw new Error('thrown by the handler');
  },
  'rejects-later': async (websocket) => {
    while (true) {
      await websocket.wait();
      await turn();
    }
  },
  signal: (websocket) =>
    new Promise<void>((resolve) => {
      if (websocket.signal.aborted) resolve();
      else websocket.signal.addEventListener('abort', () => resolve());
    }),
  ping: async (websocket) => {
    await websocket.ping();
    await websocket.closed;
  },
  ignore: async (websocket) => {
    websocket.ignoreMessages();
    await websocket.closed;
  },
  sleep: async (websocket) => {
    while (await websocket.sleep(1)) websocket.send('tick');
  },
};

async function echo(websocket: Websocket): Promise<void> {
  for await (const message of websocket) websocket.send(message);
}

/** What `hoardable` of mutate.ts sends: each message is of one byte again and again, and the bytes count up. */
function findFault(messages: readonly (string | Buffer)[]): string | undefined {
  const bad = messages.findIndex(
    (message, index) => !Buffer.from(message as Buffer).every((byte) => byte === (index & 0xff)),
  );
  return bad === -1 ? undefined : `message ${bad} of ${messages.length} is not what was sent`;
}

/** Handlers in every state that a hostile client could catch them in. */
export function buildApp(onError: () => void, onFault: (fault: string) => void): Express {
  const app = express();
  app.set('env', 'test'); // the final handler of Express prints no errors
  const route = (
    path: string,
    handler: (websocket: Websocket) => unknown,
    options: WebsocketOptions = {},
  ) => {
    app.get(
      path,
      requireWebsocket(
        async (req) => {
          await handler(req.websocket);
        },
        { ...impatient, ...options },
      ),
    );
  };
  app.all(
    '/echo',
    acceptWebsocket(async (req, res) => {
      if (req.isWebsocket()) await echo(req.websocket);
      else res.send('plain HTTP');
    }, impatient),
  );
  route('/text', echo, { messages: 'text', protocols: ['chat'] });
  app.get(
    '/json',
    requireWebsocket((req) => echo(req.websocket as Websocket), { ...impatient, messages: 'json' }),
  );
  app.get(
    '/values',
    requireWebsocket((req) => echo(req.websocket as Websocket), {
      ...impatient,
      messages: slowTextSchema,
      invalid: (issues, websocket) => websocket.send({ issues }),
    }),
  );
  route('/deflate', echo, { perMessageDeflate: true, maxPayload: 100_000 });
  route('/small', echo, { maxPayload: 100, maxQueue: 200, highWaterMark: 100, maxBuffered: 50_000 });
  app.use('/slow', async (_req, _res, next) => {
    await pause(2);
    next();
  });
  route('/slow', echo);
  for (const [name, handler] of Object.entries(handlers))
    route(`/${name}`, handler, { maxBuffered: 400_000 });
  // Reads only what has come when its client has gone.
  const hoard = async (websocket: Websocket) => {
    await websocket.closed;
    const messages: (string | Buffer)[] = [];
    for await (const message of websocket) messages.push(message);
    const fault = findFault(messages);
    if (fault !== undefined) onFault(fault);
  };
  route('/hoard', hoard, { maxQueue: 16_384 });
  app.get(
    '/param/:name/echo',
    requireWebsocket((req) => echo(req.websocket), impatient),
  );
  app.get('/refused', async (_req, res) => {
    await turn();
    res.status(401).send('x'.repeat(50_000));
  });
  // Ordinary routes with long answers, which a client may ask for with "Upgrade: websocket", too.
  app.get('/events', (_req, res) => {
    res.type('text/event-stream').flushHeaders();
    const timer = setInterval(() => res.write('data: tick\n\n'), 2);
    res.on('close', () => clearInterval(timer));
  });
  app.get('/download', (_req, res) => {
    res.write(Buffer.alloc(8 * 2 ** 20));
    res.on('drain', () => res.end());
  });
  app.get('/redirect', (_req, res) => res.redirect('/echo'));
  app.use('/all', websocketMiddleware({ ...impatient, acceptAll: true }));
  app.use('/all/plain', (_req, res) => res.send('plain HTTP'));
  app.use('/all/echo', async (req, res) => {
    const websocket = (req as { websocket?: Websocket | null }).websocket;
    if (websocket) await echo(websocket);
    res.end();
  });
  const countError: ErrorRequestHandler = (_error, _req, res, _next) => {
    onError();
    if (!res.headersSent) res.status(500).end();
  };
  app.use(countError);
  return app;
}
