import type { AddressInfo } from 'node:net';
import { createApp } from './app.js';
import { openRooms } from './chat-rooms.js';

const { PORT = '8000', REDIS_URL = '' } = process.env;
const port = readPort(PORT);
const chat = await openRooms(REDIS_URL).catch((error: unknown) =>
  fail(`REDIS_URL must be like redis://localhost:6379 (${String(error)})`),
);
const server = createApp(chat.rooms).listen(port);
server.on('close', () => void chat.close());

server.on('listening', () => {
  const { port } = server.address() as AddressInfo;
  console.log(`The example app is at http://localhost:${port}/home/ (Ctrl-C stops it)`);
});

server.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EADDRINUSE') fail(`Port ${PORT} is taken. Try another one: PORT=8001 npm start`);
  if (error.code === 'EACCES') fail(`You may not use port ${PORT}. Try another one: PORT=8000 npm start`);
  throw error;
});

// `close()` closes every open websocket with 1001 (going away). After the last one has ended, the process exits with
// code 0. A second signal ends it at once.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    console.log(`${signal}: closing`);
    server.close();
    // Browsers keep connections open without a request, and Node would wait for them.
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
