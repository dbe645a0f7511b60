/**
 * Runs in a network of its own (`unshare --net`), where the only interface can be taken down: from then on packets are
 * dropped, and neither side learns of the other's end by a FIN or RST. Prints a line of JSON for each handler that ends.
 *
 * Here the client has filled `maxQueue` first, so that we have paused reading and could see no pong. That the peer is
 * dead shows by our pings, which nobody acknowledges, until the kernel gives up (net.ipv4.tcp_retries2).
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { requireWebsocket, type Websocket } from 'dwebsocket';
import { openRaw } from '../support/raw-client.js';
import { binary } from '../support/raw-frames.js';
import { eventually } from './eventually.js';

const handlers: Record<string, (websocket: Websocket) => PromiseLike<unknown>> = {
  'only sends': async (websocket) => {
    while (await websocket.send('tick')) await new Promise(setImmediate);
  },
  'sends and sleeps': async (websocket) => {
    while (await websocket.sleep(100)) websocket.send('tick');
  },
  'only awaits closed': (websocket) => websocket.closed,
};

let ended = 0;
const server = createServer(
  requireWebsocket(
    async (req) => {
      const name = decodeURIComponent(req.url.slice(1));
      await handlers[name]?.(req.websocket);
      const { code } = await req.websocket.closed;
      console.log(JSON.stringify({ name, code }));
      ended++;
    },
    { heartbeat: 200, maxQueue: 16_384 },
  ),
);
const sockets = new Set<Socket>();
server.on('connection', (socket) => {
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');

for (const name of Object.keys(handlers)) {
  const { port } = server.address() as AddressInfo;
  const client = await openRaw(port, { path: `/${encodeURIComponent(name)}` });
  client.write(...Array.from({ length: 64 }, () => binary(Buffer.alloc(1_024))));
}
await eventually(() => [...sockets].every((socket) => socket.isPaused()), 'all sockets are paused');
execFileSync('ip', ['link', 'set', 'lo', 'down']);
const all = Object.keys(handlers).length;
await eventually(
  () => sockets.size === 0 && ended === all,
  'all sockets are gone and all handlers end',
  60_000,
);
process.exit();
