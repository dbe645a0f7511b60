/**
 * An app in a process of its own: `stopping-app.ts workers` in two processes, `stopping-app.ts 3000` in one that gives
 * three seconds of notice. Each process that listens says on which port. A path behind it is where groups meet.
 * `stopping-app.ts failing` has a worker that fails as soon as it starts. It prints when the worker starts and ends, and
 * when SIGTERM comes.
 */
import cluster from 'node:cluster';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { requireWebsocket } from 'dwebsocket';
import { createGroups } from 'dwebsocket/groups';
import { localBackplane } from 'dwebsocket/groups/local';
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

const [, , mode, path] = process.argv;

/** Adds groups to a server, and closes them with it, as the documents show. */
function withGroups(server: Server): Server {
  if (path === undefined) return server;
  const groups = createGroups({ backplane: localBackplane({ path }) });
  app.get(
    '/others',
    requireWebsocket(async ({ websocket }) => {
      await groups.group('all').add(websocket);
      websocket.send('added');
      for await (const message of websocket) groups.group('all').send(message, { except: websocket });
    }),
  );
  return server.on('close', () => void groups.close());
}

if (mode === 'failing') {
  cluster.on('fork', () => console.log(`fork ${performance.now()}`));
  cluster.on('exit', () => console.log(`exit ${performance.now()}`));
  process.once('SIGTERM', () => console.log('stop'));
  serveOnAllCores(() => process.exit(1), 1);
} else if (mode === 'workers') {
  // Workers that ask for any port are given the same.
  serveOnAllCores(() => tellPort(withGroups(app.listen(0, '127.0.0.1'))), 2);
} else {
  tellPort(withGroups(serveUntilStopped(app, 0, Number(mode))));
}
