import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { within } from '../../support/inbox.js';
import { close, ping, text } from '../../support/raw-frames.js';
import { goodHandshake, hoardable, mutatedFrame, mutatedHandshake, PATHS, tinyFlood } from './mutate.js';
import type { Random } from './random.js';

/** How a client leaves: at once, with a FIN, or when the server has ended the connection, but not much later. */
type Leave = 'RST' | 'FIN' | 'wait';

const PATIENCE = 50;

/** In which the server must have done what it has to; 2,000 connections are opened at once. */
const DEADLINE = 60_000;

/** One connection: `chunks` are written one a turn of the event loop, then it leaves. Resolves when it is gone. */
export function attack(port: number, random: Random, chunks: Buffer[], leave: Leave): Promise<void> {
  return new Promise((resolve) => {
    // Every address of the loopback network has ports of its own: a million connections need them.
    const localAddress = `127.0.${random.between(1, 250)}.${random.between(1, 250)}`;
    const socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true });
    let timer: NodeJS.Timeout | undefined;
    if (random.chance(0.9)) socket.resume();
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve();
    });
    socket.on('connect', () => {
      writeNext(socket, chunks, 0, () => {
        if (leave === 'RST') socket.resetAndDestroy();
        if (leave === 'FIN') socket.end();
        // One that has stopped reading would see no end.
        timer = setTimeout(() => socket.destroy(), PATIENCE);
      });
    });
  });
}

function writeNext(socket: Socket, chunks: Buffer[], index: number, done: () => void): void {
  const chunk = chunks[index];
  if (socket.destroyed) return;
  if (chunk === undefined) {
    done();
    return;
  }
  socket.write(chunk);
  setImmediate(writeNext, socket, chunks, index + 1, done);
}

/** Mutated handshakes and frames; tells how many of each it has sent. */
export async function sendMutations(
  port: number,
  random: Random,
): Promise<{ handshakes: number; frames: number }> {
  const mutated = random.chance(0.5);
  const frames = Array.from({ length: mutated ? random.between(0, 3) : random.between(1, 12) }, () =>
    mutatedFrame(random),
  );
  const handshake = mutated ? mutatedHandshake(random) : goodHandshake(random);
  const stream = Buffer.concat([handshake, ...frames]);
  await attack(
    port,
    random,
    random.chance(0.5) ? [stream] : cutUp(random, stream),
    random.pick(['RST', 'FIN', 'wait']),
  );
  return { handshakes: mutated ? 1 : 0, frames: frames.length };
}

/** Honest frames, too many of them, too small, or cut off in the middle of one. */
export async function sendFlood(port: number, random: Random): Promise<void> {
  const chunks = random.chance(0.5) ? tinyFlood(random) : hoardable(random);
  await attack(port, random, chunks, random.pick(['RST', 'FIN', 'wait']));
}

function cutUp(random: Random, stream: Buffer): Buffer[] {
  const cuts = Array.from({ length: random.between(1, 6) }, () => random.between(0, stream.length));
  const borders = [0, ...cuts.sort((a, b) => a - b), stream.length];
  return borders.slice(1).map((border, i) => stream.subarray(borders[i], border));
}

/** Every step of a connection's life at which a client can leave; each has a name, for the report. */
export const STEPS: Record<string, (random: Random) => Buffer[]> = {
  'before the first byte': () => [],
  'inside the handshake': (random) => [goodHandshake(random).subarray(0, random.between(1, 120))],
  'during async middleware': (random) => [goodHandshake(random, '/slow')],
  'during async middleware, with messages on the way': (random) => [
    goodHandshake(random, '/slow'),
    text('early'),
  ],
  'while the app answers': (random) => [goodHandshake(random, '/refused')],
  'right behind the handshake': (random) => [goodHandshake(random)],
  'between 101 and the first read': (random) => [goodHandshake(random, '/late'), text('unread')],
  'inside a frame header': (random) => [
    goodHandshake(random),
    text('Hello').subarray(0, random.between(1, 5)),
  ],
  'inside a payload': (random) => [goodHandshake(random), text('Hello').subarray(0, random.between(6, 10))],
  'between fragments': (random) => [goodHandshake(random), text('Hello', { fin: false })],
  'behind a ping': (random) => [goodHandshake(random), ping('?')],
  'behind its own close frame': (random) => [goodHandshake(random), close(1_000)],
  "behind the server's close frame": (random) => [
    goodHandshake(random, '/close'),
    Buffer.alloc(0),
    Buffer.alloc(0),
  ],
  'while the server sends': (random) => [goodHandshake(random, '/flood'), Buffer.alloc(0), Buffer.alloc(0)],
  'while the handler throws': (random) => [goodHandshake(random, '/throws'), text('now')],
  'while an ordinary route streams events': (random) => [goodHandshake(random, '/events'), Buffer.alloc(0)],
  'while an ordinary route sends a file': (random) => [goodHandshake(random, '/download'), Buffer.alloc(0)],
  'before an ordinary route answers': (random) => [goodHandshake(random, '/events')],
  'behind a request before its own, which is still answered': (random) => [
    Buffer.concat([Buffer.from('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n'), goodHandshake(random)]),
    Buffer.alloc(0),
  ],
  'with more than the handler reads': (random) => hoardable(random),
  'behind bytes that are no frame': (random) => [goodHandshake(random), random.bytes(4)],
};

/** Leaves at each step, on each way, `times` over. */
export async function leaveAtEveryStep(port: number, random: Random, times: number): Promise<number> {
  let count = 0;
  for (let i = 0; i < times; i++) {
    const attacks = Object.values(STEPS).flatMap((step) =>
      (['RST', 'FIN', 'wait'] as const).map((leave) => attack(port, random, step(random), leave)),
    );
    count += attacks.length;
    await Promise.all(attacks);
  }
  return count;
}

/**
 * Opens a websocket and drops it. Attackers that never wait for an answer would only fill the queue of connections that
 * the kernel has accepted and the server has not, and no honest client would get through.
 */
export async function waitInLine(port: number, random: Random): Promise<void> {
  const { socket } = await openOne(port, random);
  socket.resetAndDestroy();
}

const DROPS = {
  RST: (socket: Socket) => socket.resetAndDestroy(),
  FIN: (socket: Socket) => socket.end(),
  'a close frame': (socket: Socket) => socket.write(close(1_000)),
};

/** Opens `count` websockets, and drops them when all are open: a third each with RST, FIN and a close frame. */
export async function openAndDrop(port: number, random: Random, count: number): Promise<void> {
  const sockets = await Promise.all(Array.from({ length: count }, () => openOne(port, random)));
  const drops = Object.entries(DROPS);
  await Promise.all(
    sockets.map(async ({ socket, path }, i) => {
      const [name, drop] = drops[i % drops.length]!;
      if (socket.closed) throw new Error(`a connection to ${path} was ended by the server`);
      const closed = once(socket, 'close');
      drop(socket);
      await within(closed, `end of a connection to ${path} behind ${name}`, DEADLINE);
    }),
  );
}

async function openOne(port: number, random: Random): Promise<{ socket: Socket; path: string }> {
  const path = random.pick(PATHS.filter((name) => name.endsWith('/echo')));
  const socket = connect({ port, host: '127.0.0.1', localAddress: `127.0.1.${random.between(1, 250)}` });
  socket.on('error', () => {});
  socket.write(goodHandshake(random, path));
  const [chunk] = (await within(once(socket, 'data'), `answer to a handshake for ${path}`, DEADLINE)) as [
    Buffer,
  ];
  const head = chunk.toString('latin1');
  if (!head.startsWith('HTTP/1.1 101 '))
    throw new Error(`${path} answered a good handshake with ${head.slice(0, 60)}`);
  socket.resume();
  return { socket, path };
}
