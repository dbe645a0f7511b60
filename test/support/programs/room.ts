/**
 * A room with a history over Redis Streams. It listens when the test says so: so a new server takes the place of one that was
 * killed without the time that a process needs to start.
 */
import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import express from 'express';
import { createClient } from 'redis';
import { requireWebsocket } from 'dwebsocket';
import { createGroups, redisStreamBackplane } from 'dwebsocket/groups';
import { HISTORY } from '../../client/support/room.js';

const { PORT, REDIS_URL } = process.env;
const redis = createClient({ url: REDIS_URL! });
redis.on('error', () => {});
await redis.connect();
const groups = createGroups({ backplane: redisStreamBackplane(redis, HISTORY.backplane), ...HISTORY.groups });
const room = groups.group('room');
const joins = new EventEmitter();

const app = express();
app.get(
  '/room',
  requireWebsocket(
    async ({ websocket, query }) => {
      void room.add(websocket, { since: query['since'], last: 100_000, welcome: (start) => start });
      joins.emit('join');
      for await (const message of websocket) void room.send(message);
    },
    { messages: 'json', origins: 'any' },
  ),
);
const server = createServer(app);

process.on('message', (question: 'listen' | { members: number }) => {
  void (async () => {
    if (question === 'listen') {
      server.listen(Number(PORT), '127.0.0.1');
      await once(server, 'listening');
    } else while (room.size < question.members) await once(joins, 'join');
    process.send!(room.size);
  })();
});
// It does not listen yet.
process.send!(0);
