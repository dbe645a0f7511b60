/** A server that tells its memory when it is asked, after a collection of garbage. */
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import express from 'express';
import { openWebsockets, requireWebsocket, type Websocket, type WebsocketOptions } from 'dwebsocket';
import { createGroups } from 'dwebsocket/groups';
import { tellPort } from './listen.js';

export interface Account {
  /** Bytes of resident memory. */
  rss: number;
  /** Open websockets, and what has been read from all sockets so far. */
  open: number;
  read: number;
}

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

const options = JSON.parse(process.env['OPTIONS'] ?? '{}') as WebsocketOptions;
const compressed = { ...options, perMessageDeflate: { threshold: 0 } };
const echo = async ({ websocket }: { websocket: Websocket }) => {
  for await (const message of websocket) websocket.send(message);
};
const idle = ({ websocket }: { websocket: Websocket }) => websocket.closed;
const groups = createGroups();
const group = groups.group('all');

const app = express();
app.get('/echo', requireWebsocket(echo, options));
app.get('/idle', requireWebsocket(idle, options));
app.get('/compressed/echo', requireWebsocket(echo, compressed));
app.get('/compressed/idle', requireWebsocket(idle, compressed));
app.get(
  '/member',
  requireWebsocket(({ websocket }) => {
    group.add(websocket);
    return websocket.closed;
  }, options),
);
app.get(
  '/sender',
  requireWebsocket(async ({ websocket }) => {
    for await (const message of websocket) group.send(message);
  }),
);
const server = createServer(app);

let readBefore = 0;
const sockets = new Set<Socket>();
server.on('connection', (socket: Socket) => {
  sockets.add(socket);
  socket.on('close', () => {
    sockets.delete(socket);
    readBefore += socket.bytesRead;
  });
});
process.on('message', () => {
  gc();
  const account: Account = {
    rss: process.memoryUsage.rss(),
    open: openWebsockets(server).size,
    read: [...sockets].reduce((sum, { bytesRead }) => sum + bytesRead, readBefore),
  };
  process.send!(account);
});
await tellPort(server);
