// The app that runs on each runtime: the routes of the common check, and one for each feature that leans on the runtime.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { pipeline } from 'node:stream/promises';
import { closeWebsockets, passUpgrade, requireWebsocket, acceptWebsocket } from 'dwebsocket';
import { createGroups } from 'dwebsocket/groups';
import express from 'express';
import { WebSocketServer } from 'ws';

const app = express();
app.use((req, res, next) => {
  res.setHeader('x-middleware', 'yes');
  res.on('finish', () => console.log(`finish ${res.statusCode} ${req.path}`));
  res.on('close', () => console.log(`close ${res.statusCode} ${req.path}`));
  next();
});

// The common check.
const echo = acceptWebsocket(async (req, res) => {
  if (!req.isWebsocket()) return void res.type('text').send(req.query.message);
  for await (const message of req.websocket) req.websocket.send(message);
});
app.get('/echo', echo);
app.get('/logged', echo);
app.get('/later', (_req, res) => setImmediate(() => res.send('later')));
app.get('/secret', (req, res, next) => (req.headers.authorization ? next() : res.sendStatus(401)), echo);
app.get(
  '/once',
  requireWebsocket(async ({ websocket }) => {
    websocket.send(await websocket.wait());
  }),
);
app.get(
  '/fail',
  requireWebsocket(async () => {
    throw new Error('boom');
  }),
);

// Sends until the client has closed, and counts what it could send.
let sent = 0;
app.get(
  '/push',
  requireWebsocket(async ({ websocket }) => {
    websocket.ignoreMessages();
    while (await websocket.send(Buffer.alloc(2 ** 20))) sent++;
  }),
);
app.get('/sent', (_req, res) => void res.json(sent));

app.get(
  '/close/:code',
  requireWebsocket(async (req) => {
    await req.websocket.close(Number(req.params.code), 'enough');
  }),
);

app.get(
  '/deflate',
  requireWebsocket(
    async ({ websocket }) => {
      for await (const message of websocket) websocket.send(message);
    },
    { perMessageDeflate: { threshold: 0 } },
  ),
);

app.get(
  '/heartbeat',
  requireWebsocket(
    async ({ websocket }) => {
      const { code } = await websocket.closed;
      console.log(`heartbeat ended with ${code}`);
    },
    { heartbeat: 200 },
  ),
);

// Holds back what the client sends, until it is told to read.
app.get(
  '/held',
  requireWebsocket(
    async ({ websocket, socket }) => {
      await new Promise((resolve) => process.once('SIGUSR2', resolve));
      console.log(`held ${websocket.countMessages()}, read ${socket.bytesRead}`);
      let count = 0;
      for await (const message of websocket) {
        count++;
        if (message === 'end') break;
      }
      console.log(`held in all ${count}`);
    },
    { maxQueue: 65_536 },
  ),
);

const groups = createGroups();
app.get(
  '/group',
  requireWebsocket(async ({ websocket }) => {
    const group = groups.group('all');
    group.add(websocket);
    for await (const message of websocket) group.send(message, { except: websocket });
  }),
);

const sockets = new WebSocketServer({ noServer: true });
sockets.on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
app.get(
  '/passed',
  passUpgrade((req, socket, head) => {
    sockets.handleUpgrade(req, socket, head, (client) => sockets.emit('connection', client, req));
  }),
);
// A handshake by hand.
app.get(
  '/by-hand',
  passUpgrade((req, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    socket.on('data', (data) => socket.write(data));
    socket.on('end', () => socket.end());
  }),
);

app.get(
  '/handed-over',
  requireWebsocket(({ websocket }) => {
    const socket = websocket.handOver();
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  }),
);
app.get(
  '/stream',
  requireWebsocket(async ({ websocket }) => {
    const stream = websocket.stream();
    await pipeline(stream, stream);
  }),
);
app.get(
  '/web-stream',
  requireWebsocket(async ({ websocket }) => {
    await websocket.readable.pipeTo(websocket.writable);
  }),
);

app.post('/close-websockets', async (_req, res) => {
  await closeWebsockets(server);
  res.send('closed');
});

// Express finds an error handler by its four parameters.
// eslint-disable-next-line no-unused-vars
app.use((error, _req, res, _next) => {
  console.log(`failed: ${error.message}`);
  res.status(500).send('failed');
});

const tls = new URL('../../test/support/tls/', import.meta.url);
const secure = createServer(
  { key: readFileSync(new URL('key.pem', tls)), cert: readFileSync(new URL('certificate.pem', tls)) },
  app,
).listen(0, '127.0.0.1', () => console.log(`secure port ${secure.address().port}`));

const server = app.listen(Number(process.env.PORT), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
process.once('SIGTERM', () => {
  server.close();
  secure.close();
});
