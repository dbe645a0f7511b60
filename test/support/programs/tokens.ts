/**
 * A server on PORT that lets a websocket in with a token, once. It answers each message with its process id. SIGTERM closes the
 * websockets with 1001.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import express from 'express';
import { closeWebsockets, requireWebsocket } from 'dwebsocket';

const tokens = new Set<string>();
const app = express();
app.get('/token', (_req, res) => {
  const token = randomUUID();
  tokens.add(token);
  res.send(token);
});
app.get(
  '/echo',
  (req, res, next) => {
    if (tokens.delete(req.query['token'] as string)) next();
    else res.sendStatus(401);
  },
  requireWebsocket(async ({ websocket }) => {
    for await (const message of websocket) void websocket.send(`${String(message)} to ${process.pid}`);
  }),
);

const server = createServer(app);
process.on('SIGTERM', () => {
  void (async () => {
    await closeWebsockets(server);
    process.exit();
  })();
});
const { PORT } = process.env;
server.listen(Number(PORT), '127.0.0.1');
await once(server, 'listening');
process.on('message', () => process.send!(process.pid));
process.send!(Number(PORT));
