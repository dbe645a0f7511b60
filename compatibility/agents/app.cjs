// The app that each agent watches. `node --require ./agents/NAME.cjs app.cjs` loads the agent first, which leaves a few
// functions of its own in `globalThis.agent`.
const { AsyncLocalStorage } = require('node:async_hooks');
const { createServer, get } = require('node:http');
const express = require('express');
const { acceptWebsocket, closeWebsockets, requireWebsocket } = require('dwebsocket');

const { agent } = globalThis;
const app = express();
const server = createServer(app);
const storage = new AsyncLocalStorage();
/** The requests of all websockets, as long as something keeps them in memory. */
const requests = [];

app.get('/plain', (_req, res) => res.type('text').send('plain'));
app.get('/plain/fail', (req) => {
  agent.setUser(req.query.user);
  throw new Error('a plain route has failed');
});
app.get('/live', async (_req, res) => {
  // A weak reference holds its target until the end of the turn that created or read it.
  await new Promise(setImmediate);
  globalThis.gc();
  res.json(requests.filter((reference) => reference.deref() !== undefined).length);
});

app.use((req, _res, next) => {
  if (req.headers.upgrade !== undefined) requests.push(new WeakRef(req));
  if (req.query.user !== undefined) agent.setUser(req.query.user);
  storage.run(req.query.user, next);
});
app.use('/private', (_req, res) => res.status(401).type('text').send('log in first'));

const chat = express.Router();
chat.get(
  '/:room',
  acceptWebsocket(async (req, res) => {
    if (!req.isWebsocket()) {
      res.type('text').send('page');
      return;
    }
    for await (const message of req.websocket) {
      // A request to another server: its span must be a child of this websocket's span.
      await fetchPlain();
      req.websocket.send(
        JSON.stringify({ message, trace: agent.trace() ?? null, store: storage.getStore() ?? null }),
      );
    }
  }),
);
app.use('/chat', chat);

app.get(
  '/fail',
  requireWebsocket(async ({ websocket }) => {
    await websocket.wait();
    throw new Error('the handler has failed');
  }),
);

agent.handleErrors?.(app);
// Express knows an error handler by its four parameters.
app.use((error, _req, res, next) => {
  errors.push(error.message);
  if (res.headersSent) next(error);
  else res.status(500).type('text').send('an error page');
});
/** What the app's own error handler got. */
const errors = [];
app.get('/errors', (_req, res) => res.json(errors));

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

function fetchPlain() {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port: server.address().port, path: '/plain', agent: false }, (res) => {
      res.resume().on('end', resolve);
    }).on('error', reject);
  });
}
