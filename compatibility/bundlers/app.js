// The app that each bundler puts into one file. It uses what a bundle can break: the package's two entry points, `ws` as a
// user imports it, compression, and the names of errors.
import { createServer } from 'node:http';
import express from 'express';
import { WebSocket } from 'ws';
import {
  acceptWebsocket,
  closeWebsockets,
  requireWebsocket,
  Websocket,
  WebsocketClosedError,
} from 'dwebsocket';
import { createGroups } from 'dwebsocket/groups';

const groups = createGroups();
const app = express();

app.get(
  '/echo',
  acceptWebsocket(
    async (req, res) => {
      if (!req.isWebsocket()) {
        res.type('text').send('plain');
        return;
      }
      for await (const message of req.websocket) {
        if (message === 'end') return;
        req.websocket.send(message);
      }
    },
    { perMessageDeflate: { threshold: 0 } },
  ),
);

app.get(
  '/fail',
  requireWebsocket(async ({ websocket }) => {
    await websocket.wait();
    throw new Error('asked for');
  }),
);

app.get(
  '/group',
  requireWebsocket(async ({ websocket }) => {
    const group = groups.group('all');
    await group.add(websocket);
    for await (const message of websocket) void group.send(message);
  }),
);

// What a minifier could change: the names of errors, and the classes behind `instanceof`.
app.get(
  '/names',
  requireWebsocket(async ({ websocket }) => {
    websocket.send(
      JSON.stringify({
        closed: new WebsocketClosedError(1000, '').name,
        option: nameOfOptionError(),
        isWebsocket: websocket instanceof Websocket,
        isSocketOfWs: websocket.handOver() instanceof WebSocket,
      }),
    );
    await websocket.close();
  }),
);

app.get('/native', (_req, res) => {
  const { sharedObjects } = process.report.getReport();
  res.json(sharedObjects.some((path) => path.includes('bufferutil')));
});

// Express knows an error handler by its four parameters, which a minifier must keep.
app.use((error, _req, res, next) => {
  console.log(`failed: ${error.message}`);
  if (res.headersSent) next(error);
  else res.status(500).end();
});

const server = createServer(app);
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});

process.on('SIGTERM', async () => {
  server.close();
  await closeWebsockets(server);
});

function nameOfOptionError() {
  try {
    requireWebsocket(() => undefined, { maxPaylod: 1 });
    return 'none';
  } catch (error) {
    return `${error.name} ${error.code}`;
  }
}
