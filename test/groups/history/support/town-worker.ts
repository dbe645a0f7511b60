/** One process of a town: an Express app with rooms, each with a history over Redis Streams, and a sender. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { requireWebsocket } from 'dwebsocket';
import { createGroups, redisStreamBackplane } from 'dwebsocket/groups';
import express from 'express';
import { pause } from '../../../long/chaos/pause.js';
import { clientKinds } from '../../support/clients.js';
import { ROOMS, type ToWorker, type FromWorker, type WorkerOptions } from './town.js';

const { index, url, client: name, pace } = JSON.parse(process.argv[2]!) as WorkerOptions;
const tell = (answer: FromWorker): void => void process.send?.(answer);

const { client, end } = await clientKinds.find((kind) => kind.name === name)!.connect(url);
const groups = createGroups({
  backplane: redisStreamBackplane(client, { maxLength: 100_000, timeout: 2_000 }),
  history: { length: 100_000, age: 3_600_000, stamp: 'id' },
});
for (const event of ['cutOff', 'missed', 'dropped'] as const) groups.on(event, () => {});
groups.on('refused', ({ code, message }) => {
  // A subscription may fail while a master becomes a replica. It is retried.
  if (code === 'ERR_WEBSOCKET_BACKPLANE_STRANGER') tell({ fault: `process ${index}: ${message}` });
});
process.on('unhandledRejection', (error) => tell({ fault: `process ${index}: ${String(error)}` }));

const app = express();
app.get(
  '/:room',
  requireWebsocket<{ room: string }>(async (req) => {
    const { websocket } = req;
    await groups.group(req.params.room).add(websocket, {
      since: req.query.since,
      last: 20,
      welcome: (start) => JSON.stringify(start),
    });
    await websocket.closed;
  }),
);
const server = app.listen(0, '127.0.0.1');
await once(server, 'listening');

let isSending = true;
async function sendAll(): Promise<void> {
  for (let number = 0; isSending; number++) {
    void groups.group(ROOMS[number % ROOMS.length]!).send(JSON.stringify({ from: index, number }));
    await pause(pace);
  }
}

const orders: Record<ToWorker, () => unknown> = {
  start: () => void sendAll(),
  stop: () => (isSending = false),
  finish: async () => {
    for (const room of ROOMS) {
      while ((await groups.group(room).send(JSON.stringify({ end: true }))).backplane !== true)
        await pause(100);
    }
  },
  status: () => groups.isCutOff(),
  history: async () => {
    const rooms: Record<string, string[]> = {};
    for (const room of ROOMS) rooms[room] = (await groups.group(room).history()).map(({ id }) => id);
    return rooms;
  },
  exit: async () => {
    server.closeAllConnections();
    server.close();
    await groups.close();
    end();
    process.disconnect();
  },
};

process.on('message', (order: ToWorker) => {
  void (async () => {
    const answer = await orders[order]();
    if (order !== 'exit') tell({ done: order, answer });
  })();
});
tell({ ready: (server.address() as AddressInfo).port });
