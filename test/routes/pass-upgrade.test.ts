import { connect as connectTcp } from 'node:net';
import type { Duplex } from 'node:stream';
import express, { Router } from 'express';
import { expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import request from 'supertest';
import { passUpgrade, requireWebsocket } from 'dwebsocket';
import { connect } from '../support/client.js';
import { defer, Inbox } from '../support/inbox.js';
import { serve, type App } from '../support/serve.js';

/** A library that does the handshake itself. */
function createLibrary(): { wss: WebSocketServer; handle: Parameters<typeof passUpgrade>[0] } {
  const wss = new WebSocketServer({ noServer: true });
  wss.on('connection', (socket, req) => {
    socket.send(req.url!);
    socket.on('message', (data, binary) => {
      socket.send(data as Buffer, { binary });
    });
  });
  return {
    wss,
    handle: (req, socket, head) => {
      wss.handleUpgrade(req, socket, head, (ws) => {
        wss.emit('connection', ws, req);
      });
    },
  };
}

test('a library gets the socket after all middleware; loggers see 101 and the end', async () => {
  const { handle } = createLibrary();
  const log = new Inbox<string>();
  const app = express();
  app.use((req, res, next) => {
    res.on('finish', () => log.push(`finish ${String(res.statusCode)}`));
    res.on('close', () => log.push(`close ${String(res.writableFinished)}`));
    next();
  });
  app.use((req, res, next) => {
    if (req.query.token === 'secret') next();
    else res.sendStatus(401);
  });
  app.get('/rpc/:id', passUpgrade(handle));
  const site = await serve(app);
  await expect(connect(site, '/rpc/1')).rejects.toThrow('401');
  expect(await log.next('finish')).toBe('finish 401');
  expect(await log.next('close')).toBe('close true');
  const client = await connect(site, '/rpc/1?token=secret');
  expect(await client.next()).toBe('/rpc/1?token=secret');
  client.send('hello');
  expect(await client.next()).toBe('hello');
  expect(log.rest()).toEqual([]);
  await client.close(4000);
  expect(await log.next('finish')).toBe('finish 101');
  expect(await log.next('close')).toBe('close true');
});

test('the whole path is in req.url, also in a mounted router', async () => {
  const { handle } = createLibrary();
  const router = Router();
  router.get('/:id', passUpgrade(handle));
  const app = express();
  app.use('/mounted', router);
  const client = await connect(await serve(app), '/mounted/1?x=y');
  expect(await client.next()).toBe('/mounted/1?x=y');
});

test('the origin is checked', async () => {
  const { handle } = createLibrary();
  const app = express();
  app.get('/', passUpgrade(handle));
  app.get('/any', passUpgrade(handle, { origins: 'any' }));
  const site = await serve(app);
  await expect(connect(site, '/', { origin: 'https://evil.test' })).rejects.toThrow('403');
  expect(await (await connect(site, '/any', { origin: 'https://evil.test' })).next()).toBe('/any');
});

test('the library chooses the subprotocol', async () => {
  const { wss, handle } = createLibrary();
  wss.options.handleProtocols = () => 'ocpp1.6';
  const client = await connect(await serve(passUpgrade(handle) as App), '/', { protocols: ['ocpp1.6'] });
  expect(client.ws.protocol).toBe('ocpp1.6');
});

test('a message right behind the handshake is in the head', async () => {
  const got = defer<string>();
  const wss = new WebSocketServer({ noServer: true });
  const app = express();
  app.use((_req, _res, next) => {
    setImmediate(next);
  });
  app.get(
    '/',
    passUpgrade((req, socket, head) => {
      wss.handleUpgrade(req, socket, head, (ws) => {
        ws.on('message', (data: Buffer) => {
          got.resolve(String(data));
        });
      });
    }),
  );
  const client = await connect(await serve(app));
  client.send('early');
  expect(await got.promise).toBe('early');
});

test.each([
  [
    'throws',
    () => {
      throw new Error('library');
    },
  ],
  ['rejects', () => Promise.reject(new Error('library'))],
])('a handler that %s ends the connection, and the error handlers get the error', async (_how, handler) => {
  const errors = new Inbox<unknown>();
  const finished = defer<number>();
  const app = express();
  app.use((_req, res, next) => {
    res.on('finish', () => {
      finished.resolve(res.statusCode);
    });
    next();
  });
  app.get('/', passUpgrade(handler));
  app.use(((error, req, res, _next) => {
    errors.push([String(error), req.url]);
    res.sendStatus(500);
  }) satisfies express.ErrorRequestHandler);
  await expect(connect(await serve(app))).rejects.toThrow();
  expect(await errors.next('error')).toEqual(['Error: library', '/']);
  expect(await finished.promise).toBe(101);
});

test('a client that resets at once does not end the process', async () => {
  const sockets = new Inbox<Duplex>();
  const app = express();
  app.get(
    '/',
    passUpgrade((_req, socket) => sockets.push(socket)),
  );
  const { port } = await serve(app);
  const tcp = connectTcp(port, '127.0.0.1');
  tcp.on('error', () => {});
  tcp.write(
    'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  const socket = await sockets.next('socket');
  const closed = defer();
  // `once` of node:events would listen to 'error', too.
  socket.on('close', closed.resolve);
  tcp.resetAndDestroy();
  socket.resume();
  await closed.promise;
});

test('plain HTTP gets 400', async () => {
  const { handle } = createLibrary();
  const app = express();
  app.get('/', passUpgrade(handle));
  const { status, headers } = await request(app).get('/');
  expect([status, headers.upgrade]).toEqual([400, 'websocket']);
});

test('a request that a middleware has answered is left alone', async () => {
  const app = express();
  app.get(
    '/',
    (_req, res, next) => {
      res.sendStatus(403);
      next();
    },
    passUpgrade(() => {
      throw new Error('must not run');
    }),
  );
  await expect(connect(await serve(app))).rejects.toThrow('403');
});

test('lives beside websockets of our own', async () => {
  const { handle } = createLibrary();
  const app = express();
  app.get('/theirs', passUpgrade(handle));
  app.get(
    '/ours',
    requireWebsocket(async (req) => {
      for await (const message of req.websocket) req.websocket.send(message);
    }),
  );
  const site = await serve(app);
  expect(await (await connect(site, '/theirs')).next()).toBe('/theirs');
  const ours = await connect(site, '/ours');
  ours.send('hello');
  expect(await ours.next()).toBe('hello');
});

test('bad use is told', () => {
  expect(() => passUpgrade('handler' as never)).toThrow(/passUpgrade takes .* \(req, socket, head\) =>/);
  expect(() => passUpgrade(() => {}, { origin: 'any' } as object)).toThrow(/did you mean "origins"/);
  expect(() => passUpgrade(() => {}, { protocols: ['x'] } as object)).toThrow(/unknown option "protocols"/);
});
