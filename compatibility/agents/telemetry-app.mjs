// The app that the file of docs/observability.md watches. Its groups reach the other processes that have the same GROUPS.
import { createServer } from 'node:http';
import express from 'express';
import { closeWebsockets, requireWebsocket } from 'dwebsocket';
import { createGroups } from 'dwebsocket/groups';
import { localBackplane } from 'dwebsocket/groups/local';

const { observeGroups } = await import(process.env.TELEMETRY);
const groups = createGroups({ backplane: localBackplane({ path: process.env.GROUPS }) });
observeGroups(groups);

const app = express();
const rooms = express.Router();
rooms.get(
  '/:room',
  requireWebsocket(async ({ websocket, params }) => {
    await groups.group(params.room).add(websocket);
    websocket.send('joined');
    for await (const message of websocket) websocket.send(message);
  }),
);
rooms.post('/:room', async (req, res) => {
  res.json(await groups.group(req.params.room).send(req.query.message));
});
app.use('/chat', rooms);
app.get(
  '/fail',
  requireWebsocket(async ({ websocket }) => {
    await websocket.wait();
    throw new Error('the handler has failed');
  }),
);
app.post('/lose', (_req, res) => {
  const group = 'lobby';
  groups.emit('missed', { group, count: 2 });
  groups.emit('missed', { group, count: undefined });
  groups.emit('dropped', { group, count: 3, error: new Error('the outage was too long') });
  res.status(204).end();
});
// Express knows an error handler by its four parameters.
app.use((error, _req, res, next) => (res.headersSent ? next(error) : res.end()));

const server = createServer(app);
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});

process.on('SIGTERM', async () => {
  server.close();
  await closeWebsockets(server);
  await groups.close();
});
