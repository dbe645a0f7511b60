// A small app of ES modules, which agents hook in other ways than `require`.
import { AsyncLocalStorage } from 'node:async_hooks';
import { createServer } from 'node:http';
import express from 'express';
import { closeWebsockets, requireWebsocket } from 'dwebsocket';

const { agent } = globalThis;
const app = express();
const storage = new AsyncLocalStorage();

app.use((req, _res, next) => storage.run(req.query.user, next));
app.get('/plain', (_req, res) => res.type('text').send('plain'));
app.get(
  '/chat/:room',
  requireWebsocket(async ({ websocket }) => {
    for await (const message of websocket) {
      websocket.send(
        JSON.stringify({ message, trace: agent.trace() ?? null, store: storage.getStore() ?? null }),
      );
    }
  }),
);

const server = createServer(app);
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});

process.on('SIGTERM', async () => {
  server.close();
  await closeWebsockets(server);
  // Agents notice the end of a request when its response closes, some turns later.
  await new Promise(setImmediate);
  await agent.flush();
});
