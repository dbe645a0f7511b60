/** An app in a process of its own: `stopping-app.ts workers` in two processes, `stopping-app.ts` in one. */
import express from 'express';
import { requireWebsocket } from 'dwebsocket';
import { serveUntilStopped } from './stop.js';
import { serveOnAllCores } from './workers.js';

const { PORT } = process.env;
const app = express();
app.get(
  '/who',
  requireWebsocket(async (req) => {
    req.websocket.send(String(process.pid));
    await req.websocket.wait();
  }),
);

if (process.argv[2] === 'workers') {
  serveOnAllCores(() => app.listen(Number(PORT), '127.0.0.1', () => console.log('listening')), 2);
} else {
  const server = serveUntilStopped(app, Number(PORT), 300);
  server.on('listening', () => console.log('listening'));
}
