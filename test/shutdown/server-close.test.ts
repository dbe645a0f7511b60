import { once } from 'node:events';
import { expect, test } from 'vitest';
import { connect, type Client } from '../support/client.js';
import { DEADLINE, within } from '../support/inbox.js';
import { connectRaw, openRaw } from '../support/raw-client.js';
import { closeCodeOf, Opcode } from '../support/raw-frames.js';
import { startChild } from './child.js';

async function openMany(count: number, open: () => Promise<Client>): Promise<Client[]> {
  const clients: Client[] = [];
  while (clients.length < count) {
    const batch = Array.from({ length: Math.min(20, count - clients.length) }, open);
    clients.push(...(await Promise.all(batch)));
  }
  return clients;
}

test(
  'close() of a server with 1,000 websockets: all see 1001, it calls back, and the process ends',
  { timeout: 180_000 },
  async () => {
    const child = await startChild({ CLOSE_TIMEOUT: '60000' });
    const { site } = child;
    const clients = [
      ...(await openMany(300, () => connect(site, '/waiting'))),
      ...(await openMany(230, () => connect(site, '/iterating'))),
      ...(await openMany(230, () => connect(site, '/sleeping'))),
      ...(await openMany(220, () => connect(site, '/stuck'))),
    ];
    const slow = await openMany(20, () => connect(site, '/sending'));
    for (const client of slow) client.ws.pause();

    const closes = [...clients, ...slow].map(({ ws }) => once(ws, 'close'));
    child.stop();
    for (const client of slow) client.ws.resume();
    const codes = (await within(Promise.all(closes), 'close of each', 45_000)).map(
      ([code]) => code as number,
    );
    expect(codes).toHaveLength(1_000);
    expect(new Set(codes)).toEqual(new Set([1001]));
    // Long before the time-out: they have all answered.
    const { exit, lines } = await child.ended(DEADLINE);
    expect(exit).toEqual([0, null]);
    expect(lines).toContain('closed ');
  },
);

test(
  'clients that do not answer, and handshakes that nobody decides, are cut off after closeTimeout',
  { timeout: 120_000 },
  async () => {
    const child = await startChild();
    const { port } = child.site;
    const paths = ['/waiting', '/iterating', '/sleeping', '/stuck'];
    const silent = await Promise.all(paths.map((path) => openRaw(port, { path })));
    // It has filled what there is between them, and reads nothing more.
    const deaf = await openRaw(port, { path: '/sending' });
    deaf.socket.pause();
    const undecided = await Promise.all([1, 2, 3].map(() => connectRaw(port, { path: '/undecided' })));
    const answering = await connect(child.site, '/waiting');

    child.stop();
    expect((await answering.closed()).code).toBe(1001);
    for (const client of silent) {
      const frame = await client.nextFrame();
      expect(frame?.opcode).toBe(Opcode.close);
      expect(closeCodeOf(frame!)).toBe(1001);
    }
    // The default of 5 seconds, plus what a busy machine needs.
    const { exit, lines } = await child.ended(DEADLINE);
    expect(exit).toEqual([0, null]);
    expect(lines).toContain('closed ');
    for (const client of undecided) {
      const { status, body } = await client.response();
      expect(status).toBe(503);
      expect(body()).toBe('the server is shutting down\n');
    }
    for (const client of [...silent, ...undecided]) await client.end();
    deaf.destroy();
  },
);
