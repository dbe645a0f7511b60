/**
 * An app in a process of its own: `stopping-app.ts workers` in two processes, `stopping-app.ts 3000` in one that gives
 * three seconds of notice. Each process that listens says on which port.
 */
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

// Workers that ask for any port are given the same.
if (process.argv[2] === 'workers') serveOnAllCores(() => tellPort(app.listen(0, '127.0.0.1')), 2);
else tellPort(serveUntilStopped(app, 0, Number(process.argv[2])));
