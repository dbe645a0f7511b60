/**
 * Sends handshakes of many clients to `limitOpen`, and says how much heap they take. The requests are the few fields that the
 * middleware reads: a million connections would take more memory than what is measured.
 */
import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { limitOpen } from 'dwebsocket';

export interface KeyAccount {
  /** Bytes of heap for each key while its websocket is open, and when it has closed. */
  open: number;
  closed: number;
  admitted: number;
}

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

const UPGRADE = Symbol.for('dwebsocket.upgrade.1');
const HEADERS = { upgrade: 'websocket', connection: 'Upgrade' };
const settled = Promise.resolve();

const limit = limitOpen({ max: 1, by: (req) => req.url });

function handshake(key: string, admit: () => void): EventEmitter {
  const socket = new EventEmitter();
  const req = { method: 'GET', url: key, headers: HEADERS, socket } as unknown as IncomingMessage;
  const upgrade = { req, state: 'pending', settled: () => settled };
  Object.defineProperty(req, UPGRADE, { value: upgrade });
  limit(req, {} as ServerResponse, admit);
  upgrade.state = 'accepted';
  return socket;
}

async function heapUsed(): Promise<number> {
  // The middleware has promises that settle in a later turn.
  for (let i = 0; i < 3; i++) await new Promise(setImmediate);
  gc();
  return process.memoryUsage().heapUsed;
}

process.on('message', (count: number) => {
  void measure(count).then((account) => process.send!(account));
});

async function measure(count: number): Promise<KeyAccount> {
  let admitted = 0;
  const admit = () => {
    admitted++;
  };
  handshake('/warm', admit).emit('close');
  const before = await heapUsed();
  // In batches whose sockets are there at the same time.
  for (let first = 0; first < count; first += 10_000) {
    const sockets: EventEmitter[] = [];
    for (let i = first; i < first + 10_000; i++) sockets.push(handshake(`/user/${i}`, admit));
    await new Promise(setImmediate);
    for (const socket of sockets) socket.emit('close');
  }
  const after = await heapUsed();
  const sockets: EventEmitter[] = [];
  for (let i = 0; i < 10_000; i++) sockets.push(handshake(`/user/${i}`, admit));
  const open = await heapUsed();
  for (const socket of sockets) socket.emit('close');
  return { open: (open - after) / 10_000, closed: (after - before) / count, admitted };
}

process.send!(0);
