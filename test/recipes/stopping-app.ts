/**
 * An app in a process of its own: `stopping-app.ts workers` in two processes, `stopping-app.ts 3000` in one that gives
 * three seconds of notice. Each process that listens says on which port.
 * `stopping-app.ts failing` has a worker that fails as soon as it starts. It prints when the worker starts and ends, and
 * when SIGTERM comes.
 */
import cluster from 'node:cluster';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { requireWebsocket } from 'dwebsocket';
import { serveUntilStopped } from './stop.js';
import { serveOnAllCores } from './workers.js';

const app = express();
app.get(
  '/who',
  requireWebsocket(async (req) => {
    req.websocket.send(String(process.pid));
    await req.websocket.wait();
  }),
);

const tellPort = (server: Server): Server =>
  server.on('listening', () => console.log((server.address() as AddressInfo).port));

const [, , mode] = process.argv;

if (mode === 'failing') {
  cluster.on('fork', () => console.log(`fork ${performance.now()}`));
  cluster.on('exit', () => console.log(`exit ${performance.now()}`));
  process.once('SIGTERM', () => console.log('stop'));
  serveOnAllCores(() => process.exit(1), 1);
} else if (mode === 'workers') {
  // Workers that ask for any port are given the same.
  serveOnAllCores(() => tellPort(app.listen(0, '127.0.0.1')), 2);
} else {
  tellPort(serveUntilStopped(app, 0, Number(mode)));
}
