/** One process of a fleet with people: an Express app with rooms, and the websockets that are connected to it. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { requireWebsocket } from 'dwebsocket';
import { createGroups, redisBackplane, redisStreamBackplane } from 'dwebsocket/groups';
import express from 'express';
import { createClient } from 'redis';
import { WebSocket } from 'ws';
import type { Answer, Checked, Command, PeopleFleetOptions, Seat } from './people-fleet.js';
import { Wire } from './wire.js';

const options = JSON.parse(process.argv[2]!) as PeopleFleetOptions & { url: string };

const client = createClient({ url: options.url });
client.on('error', () => {});
await client.connect();
const wire = new Wire(
  options.stream
    ? redisStreamBackplane(client, { maxLength: 1_000, timeout: 3_000 })
    : redisBackplane(client, { timeout: 3_000 }),
);
const groups = createGroups({ backplane: wire });
const faults: string[] = [];
groups.on('cutOff', () => {});
let isBack = (): void => {};
groups.on('back', () => isBack());
groups.on('refused', (error) => faults.push(error.message));
groups.on('dropped', ({ group, error }) => faults.push(`dropped: ${group}: ${error.message}`));

const rooms = Array.from({ length: options.groups }, (_, index) => groups.group(`room ${index}`));

/** The events since the last check: "0 person 7" came to, or left, room 0. */
let joins: string[] = [];
let leaves: string[] = [];
for (const [index, room] of rooms.entries()) {
  const there = new Set<unknown>();
  room.on('join', ({ as }) => {
    if (there.has(as)) faults.push(`${String(as)} has joined room ${index} twice`);
    there.add(as);
    joins.push(`${index} ${String(as)}`);
  });
  room.on('leave', ({ as }) => {
    there.delete(as);
    leaves.push(`${index} ${String(as)}`);
  });
}
await Promise.all(rooms.map((room) => room.fetchPeople()));

const app = express();
app.get(
  '/room/:index',
  requireWebsocket(async (req) => {
    await rooms[Number(req.params.index)]!.add(req.websocket, { as: req.query.as });
    req.websocket.send('in');
    await req.websocket.closed;
  }),
);
const server = app.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;

const sockets = new Map<number, WebSocket>();

async function add({ id, room, as }: Seat): Promise<void> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/room/${room}?as=${encodeURIComponent(as)}`);
  sockets.set(id, socket);
  await once(socket, 'message');
}

function remove(id: number): void {
  sockets.get(id)?.close();
  sockets.delete(id);
}

/** The people of all rooms: "0 person 7 2", for two websockets in room 0. */
const describeAll = (): string[] =>
  rooms.flatMap(({ people }, index) =>
    people.map(({ as, websockets }) => `${index} ${String(as)} ${websockets}`),
  );

async function check(expected: string[], deadline: number): Promise<Checked> {
  const end = performance.now() + deadline;
  const wanted = new Set(expected);
  let list = describeAll();
  const isRight = () => list.length === wanted.size && list.every((line) => wanted.has(line));
  while (!isRight() && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    list = describeAll();
  }
  // The events of the last turn.
  await new Promise((resolve) => setTimeout(resolve, 20));
  const sent = wire.published.filter(({ channel }) => channel.startsWith('dwebsocket:people'));
  const checked = {
    wrong: isRight() ? 0 : list.filter((line) => !wanted.delete(line)).length + wanted.size,
    joins,
    leaves,
    faults: faults.splice(0),
    messages: sent.length,
    bytes: sent.reduce((sum, { data }) => sum + data.length, 0),
  };
  joins = [];
  leaves = [];
  return checked;
}

async function run(command: Command): Promise<unknown> {
  switch (command.do) {
    case 'add':
      // Not all at once: the backlog of a listening socket is short.
      for (let index = 0; index < command.seats.length; index += 100)
        await Promise.all(command.seats.slice(index, index + 100).map(add));
      return undefined;
    case 'remove':
      for (const id of command.ids) remove(id);
      return undefined;
    case 'check':
      return check(command.expected, command.deadline);
    case 'back':
      return groups.isCutOff() ? new Promise<void>((resolve) => (isBack = resolve)) : undefined;
    case 'cutOff':
      return groups.isCutOff() ? undefined : once(groups, 'cutOff').then(() => undefined);
    case 'end':
      for (const socket of sockets.values()) socket.terminate();
      await groups.close();
      client.destroy();
      server.close();
      return undefined;
  }
}

process.on('message', ({ number, command }: { number: number; command: Command }) => {
  void run(command).then((result) => {
    const answer: Answer = { number, result };
    process.send!(answer, () => {
      if (command.do === 'end') process.disconnect();
    });
  });
});
process.send!({ number: 0, result: undefined } satisfies Answer);
