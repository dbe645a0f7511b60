/** One process of a fleet: an Express app with rooms, and the websockets that are connected to it. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { requireWebsocket } from 'dwebsocket';
import { type Backplane, createGroups } from 'dwebsocket/groups';
import { localBackplane } from 'dwebsocket/groups/local';
import { redisBackplane, redisStreamBackplane } from 'dwebsocket/groups/redis';
import express from 'express';
import { createClient } from 'redis';
import { WebSocket } from 'ws';
import type { FleetOptions, FromWorker, ToWorker } from './fleet.js';

const options = JSON.parse(process.argv[2]!) as FleetOptions & { url: string; sender: number };
const { processes, websockets, groups: groupCount, messages, url, sender } = options;
/** Messages that each process sends to each group. */
const perGroup = messages / processes / groupCount;

const tell = (message: FromWorker) => process.send!(message);

async function openBackplane(): Promise<{ backplane: Backplane; close: () => void }> {
  if (!url.startsWith('redis:'))
    return { backplane: localBackplane({ path: url, timeout: 10_000 }), close: () => {} };
  const client = createClient({ url });
  client.on('error', () => {});
  await client.connect();
  const backplane = options.stream
    ? redisStreamBackplane(client, { maxLength: messages, maxBuffered: 2 ** 28, timeout: 2_000 })
    : redisBackplane(client, { timeout: 10_000 });
  return { backplane, close: () => client.destroy() };
}

const { backplane, close } = await openBackplane();
const groups = createGroups({ backplane });
groups.on('cutOff', () => {});
groups.on('missed', (info) => tell({ fault: `missed: ${JSON.stringify(info)}` }));
groups.on('dropped', ({ group, error }) => tell({ fault: `dropped: ${group}: ${error.message}` }));
groups.on('refused', (error) => tell({ fault: error.message }));

const app = express();
app.get(
  '/room/:name',
  requireWebsocket(async (req) => {
    const isIn = await groups.group(req.params.name!).add(req.websocket);
    req.websocket.send(isIn ? 'in' : 'cut off');
    await req.websocket.closed;
  }),
);
const server = app.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;

/** Checks that each websocket receives 0, 1, 2, … from each process. */
class Listener {
  readonly #next: number[] = Array.from({ length: processes }, () => 0);
  readonly #room: string;
  #left = processes * perGroup;

  /** Returns the missing messages, if any. */
  lack(): string | undefined {
    return this.#left === 0
      ? undefined
      : `room ${this.#room} has ${this.#next.join(', ')} of ${perGroup} each`;
  }

  constructor(room: string) {
    this.#room = room;
  }

  take(text: string): boolean {
    const [room, from, number] = text.split(':');
    const expected = this.#next[Number(from)]!++;
    if (room !== this.#room || Number(number) !== expected) {
      tell({ fault: `in room ${this.#room}: ${text} came instead of ${from}:${expected}` });
    }
    return --this.#left === 0;
  }
}

const sockets: WebSocket[] = [];
const listeners: Listener[] = [];
let unfinished = 0;

async function join(room: string): Promise<void> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/room/${room}`);
  sockets.push(socket);
  const [first] = (await once(socket, 'message')) as [Buffer];
  if (first.toString() !== 'in') tell({ fault: `a websocket of room ${room} received: ${first.toString()}` });
  const listener = new Listener(room);
  listeners.push(listener);
  unfinished++;
  socket.on('message', (data: Buffer) => {
    if (listener.take(data.toString()) && --unfinished === 0) tell({ done: true });
  });
}

async function sendAll(): Promise<void> {
  for (let number = 0; number < perGroup; number++) {
    const sent = [];
    for (let room = 0; room < groupCount; room++)
      sent.push(groups.group(String(room)).send(`${room}:${sender}:${number}`));
    for (const { backplane: taken, error } of await Promise.all(sent)) {
      if (taken !== true && !(options.stream && taken === 'later'))
        tell({ fault: `send: ${taken}, ${error?.message}` });
    }
    if (number === Math.floor(perGroup / 2)) tell({ halfway: true });
  }
}

process.on('message', (message: ToWorker) => {
  if (message === 'send') void sendAll();
  else void end();
});

async function end(): Promise<void> {
  for (const listener of listeners) {
    const lack = listener.lack();
    if (lack !== undefined) tell({ fault: lack });
  }
  for (const socket of sockets) socket.terminate();
  await groups.close();
  close();
  server.close();
  process.disconnect();
}

// Websocket number n of the fleet is in process n % processes and in group n / processes % groups.
for (let number = sender; number < websockets; number += processes) {
  await join(String(Math.floor(number / processes) % groupCount));
}
tell({ ready: true });
