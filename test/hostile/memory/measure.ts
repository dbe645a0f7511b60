import { startProgram, type Program } from '../../support/program.js';
import type { Account } from '../../support/programs/memory.js';
import type { RawClient } from '../../support/raw-client.js';
import { text } from '../../support/raw-frames.js';
import { open } from '../raw.js';
import type { Attack, Bounds } from './attacks.js';

const MiB = 2 ** 20;

/** What a process takes for itself while it is busy: garbage, compiled code, the allocator's own. */
const SLACK = 64 * MiB;
/** New objects may wait for their collection in 16 MiB, twice, as on Node 20; on Node 24 it is four times as much. */
const NODE_OPTIONS = '--max-semi-space-size=16';

export interface Verdict {
  /** Bytes of resident memory more than before, and as many as there may be. */
  grown: number;
  allowed: number;
}

/** Lets so many clients attack a server in a process of its own, and watches its resident memory. */
export async function measure(attack: Attack, bounds: Bounds, clients: number): Promise<Verdict> {
  const program = await startProgram('memory', { OPTIONS: JSON.stringify(bounds), NODE_OPTIONS });
  await warmUp(program, attack);
  const before = await program.ask<Account>('account');
  const all: RawClient[] = [];
  for (let i = 0; i < clients; i++) all.push(await openFor(program, attack));
  if (attack.sender === undefined) for (const client of all) flood(client, attack);
  else flood(await open(program.site.port, attack.sender), attack);
  return {
    grown: (await watchUntilSteady(program)) - before.rss,
    // Within two times.
    allowed: 2 * clients * attack.bound(bounds) + SLACK,
  };
}

async function openFor({ site }: Program, { path, isDeaf }: Attack): Promise<RawClient> {
  const headers = {
    'Sec-WebSocket-Extensions': path.startsWith('/compressed') ? 'permessage-deflate' : undefined,
  };
  const client = await open(site.port, path, { headers });
  if (isDeaf === true) client.socket.pause();
  return client;
}

async function warmUp(program: Program, attack: Attack): Promise<void> {
  for (let i = 0; i < 20; i++) {
    const client = await openFor(program, { ...attack, isDeaf: false });
    client.write(text('warm'));
    client.destroy();
  }
}

function flood({ socket }: RawClient, { first, block, bytes }: Attack): void {
  if (first !== undefined) socket.write(first);
  for (let sent = 0; sent < bytes; sent += block.length) socket.write(block);
}

/** The highest resident memory until for a while it has not risen, and nothing more was read. */
async function watchUntilSteady(program: Program): Promise<number> {
  let highest = 0;
  let last = '';
  for (let same = 0; same < 25; same++) {
    const { rss, open: websockets, read } = await program.ask<Account>('account');
    const state = `${websockets} ${read}`;
    if (state !== last || rss > highest + MiB) same = 0;
    highest = Math.max(highest, rss);
    last = state;
  }
  return highest;
}
