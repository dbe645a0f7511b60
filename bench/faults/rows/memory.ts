import { constants, deflateRawSync } from 'node:zlib';
import { setTimeout as sleep } from 'node:timers/promises';
import { messagesOf, type RawClient } from '../../../test/support/raw-client.js';
import { binary, more, Opcode, ping, pong, text } from '../../../test/support/raw-frames.js';
import type { Memory } from '../child.js';
import { DEADLINE, until, type Subject } from '../subject.js';
import { cell, type Cell, type Row } from './row.js';

const MIB = 2 ** 20;
/** How far the memory of the process may rise for one client; above that it is only told roughly. */
const BOUND = 64;
const ROUGHLY = [512, 128, BOUND];
/** Answers of half this size are more than the 16 MiB that may wait in dwebsocket. */
const UNREAD = 40 * MIB;
/** A chunk of a socket as Node reads it, full of pongs that nobody reads. */
const PADDING = Buffer.concat(Array<Buffer>(500).fill(pong(Buffer.alloc(125))));

const wanted = `resident memory of the process rises by at most ${BOUND} MiB`;

export const memoryRows: Row[] = [
  {
    name: 'A client sends one-byte messages to an echo and reads nothing',
    app: 'echo',
    wanted,
    play: (subject) => floodUnread(subject, text('x')),
  },
  {
    name: 'The app sends 200 MiB to all its clients; one of them reads nothing',
    app: 'broadcasts',
    wanted: `${wanted}, and the other client gets all messages`,
    play: async (subject) => {
      const silent = await subject.open();
      silent.socket.pause();
      const reader = await subject.open();
      const before = await subject.memory();
      for (let sent = 0; sent < 3_200; sent += 10) {
        reader.write(...Array<Buffer>(10).fill(text('now')));
        await reader.until(() => messagesOf(reader).length === 10, 'the messages', 5 * DEADLINE);
        reader.frames.length = 0; // reads them, and does not keep them
      }
      return judgeRise(subject, before);
    },
  },
  {
    name: 'A client sends pings and reads nothing',
    app: 'echo',
    wanted,
    play: (subject) => floodUnread(subject, ping('x')),
  },
  {
    name: 'A client sends one-byte messages, each between 64 KiB of pongs, to a handler that does not read',
    app: 'ticks',
    wanted,
    play: (subject) => floodPadded(subject, binary('x')),
  },
  {
    name: 'A client sends a message in one-byte frames, each between 64 KiB of pongs',
    app: 'echo',
    wanted,
    play: async (subject) => {
      const client = await subject.open();
      client.write(text('x', { fin: false }));
      return floodPadded(subject, more('x', { fin: false }), client);
    },
  },
  {
    name: 'A client sends 256 compressed messages of 1 MiB each in one piece, to a handler that does not read',
    app: 'compressed',
    wanted,
    play: async (subject) => {
      const client = await subject.open({
        headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_no_context_takeover' },
      });
      const frame = text(deflate(Buffer.alloc(MIB, 'x')), { rsv: 4 });
      return flood(subject, client, Buffer.concat(Array<Buffer>(256).fill(frame)), 1);
    },
  },
];

/** For a client that does not read. */
async function floodUnread(subject: Subject, frame: Buffer): Promise<Cell> {
  const client = await subject.open();
  client.socket.pause();
  const block = Buffer.concat(Array<Buffer>(10_000).fill(frame));
  return flood(subject, client, block, UNREAD / block.length);
}

/** Each frame comes in a chunk of its own, which is longer by far. */
async function floodPadded(subject: Subject, frame: Buffer, client?: RawClient): Promise<Cell> {
  return flood(subject, client ?? (await subject.open()), Buffer.concat([frame, PADDING]), 3_000);
}

async function flood(subject: Subject, client: RawClient, block: Buffer, count: number): Promise<Cell> {
  const before = await subject.memory();
  let taken = true;
  for (let i = 0; i < count && taken; i++) taken = await isTaken(client, block);
  // What the kernel has taken is not read yet. A client that reads sees that in the answer to a ping.
  if (!client.socket.isPaused() && !client.socket.destroyed) {
    const pongs = client.framesOf(Opcode.pong).length;
    client.write(ping('end'));
    await until(() => client.framesOf(Opcode.pong).length > pongs || client.socket.destroyed, 10_000);
  } else await sleep(1_000);
  return judgeRise(subject, before);
}

async function judgeRise(subject: Subject, before: Memory): Promise<Cell> {
  const { peak } = await subject.memory();
  const rise = (peak - before.now) / MIB;
  return rise <= BOUND
    ? cell('ok', `rises by at most ${BOUND} MiB`)
    : cell('grows', `rises by more than ${ROUGHLY.find((bound) => rise > bound)} MiB`);
}

/** Whether the kernel takes it; `false` when the server ends the connection, or does not read for 5 seconds. */
function isTaken({ socket }: RawClient, block: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), 5_000);
    socket.write(block, (error) => {
      clearTimeout(timer);
      resolve(!error);
    });
  });
}

function deflate(data: Buffer): Buffer {
  // Without the bytes 00 00 ff ff, with which a flush ends (RFC 7692, 7.2.1).
  return deflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
}
