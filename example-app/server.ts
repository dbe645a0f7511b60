import type { AddressInfo } from 'node:net';
import { createApp } from './app.js';
import { Rooms } from './chat/rooms.js';

const { PORT = '8000', REDIS_URL = '' } = process.env;
const port = readPort(PORT);
const rooms =
  REDIS_URL === '' ? new Rooms() : (await import('./chat/redis-rooms.js')).openRedisRooms(REDIS_URL);
const server = createApp(rooms).listen(port);
server.on('close', () => void rooms.close());

server.on('listening', () => {
  const { port } = server.address() as AddressInfo;
  console.log(`The example app is at http://localhost:${port}/home/ (Ctrl-C stops it)`);
});

server.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EADDRINUSE') fail(`Port ${PORT} is taken. Try another one: PORT=8001 npm start`);
  if (error.code === 'EACCES')
    fail(`Port ${PORT} is not for everybody. Try another one: PORT=8000 npm start`);
  throw error;
});

// `close` tells every open websocket that the server goes away (1001). When the last one has ended nothing is left
// to do, and the process ends by itself, with 0. A second signal ends it at once.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    console.log(`${signal}: closing`);
    server.close();
    // Browsers hold connections open on which they have not asked for anything yet; Node waits for those.
    setTimeout(() => server.closeAllConnections(), 1000).unref();
  });
}

function readPort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) < 65536) return Number(text);
  return fail(`PORT must be a number from 0 to 65535, not ${JSON.stringify(text)}`);
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
