import { once } from 'node:events';
import { expect, test } from 'vitest';
import { connect } from '../support/client.js';
import { DEADLINE, within } from '../support/inbox.js';
import { startChild, startExampleApp, type Child } from './child.js';

const CLIENTS = 30;
const ENOUGH = 300;

/** A client that reads numbers from one server and, when that one goes away, goes on with the next. */
class Follower {
  readonly name: string;
  /** The number that comes next: all before it have come, in order. */
  expected = 0;
  wrong: string | undefined;
  readonly #isSlow: boolean;

  constructor(index: number) {
    this.name = `client-${index}`;
    this.#isSlow = index % 3 === 0;
  }

  async open(server: Child) {
    const start = this.expected;
    const client = await connect(server.site, `/counting/${this.name}?from=${start}`);
    const { ws } = client;
    const closed = once(ws, 'close');
    const reached = new Promise<void>((resolve) => {
      const take = (message: string) => {
        const [number] = message.split(' ');
        if (Number(number) !== this.expected) this.wrong ??= `${number} in place of ${this.expected}`;
        this.expected++;
        // Load in the other direction, which nobody reads.
        if (this.expected % 10 === 0 && ws.readyState === ws.OPEN) ws.send('x'.repeat(200));
        if (this.expected !== start + ENOUGH) return;
        // A slow one stops here, and what comes piles up until it reads again.
        if (this.#isSlow) ws.pause();
        resolve();
      };
      for (const message of client.unread()) take(String(message));
      ws.on('message', (data: Buffer) => {
        take(data.toString());
      });
    });
    return { closed, reached, readOn: () => ws.resume() };
  }
}

/** What `send()` has answered with `true`, by the name of the client. */
function readSent(lines: string[]): Map<string, number> {
  return new Map(
    lines.flatMap((line) => {
      const [, name, count] = /^sent (\S+) (\d+)$/.exec(line) ?? [];
      return name === undefined ? [] : [[name, Number(count)] as const];
    }),
  );
}

test(
  'a rolling restart loses no message that send() has answered with true',
  { timeout: 180_000 },
  async () => {
    const followers = Array.from({ length: CLIENTS }, (_, i) => new Follower(i));
    for (const server of await Promise.all([startChild(), startChild()])) {
      const visits = await Promise.all(followers.map((follower) => follower.open(server)));
      await within(Promise.all(visits.map(({ reached }) => reached)), 'load', 45_000);
      server.stop();
      // The slow ones begin to drain when the first of the others has been told.
      await within(Promise.race(visits.map(({ closed }) => closed)), 'first close');
      for (const { readOn } of visits) readOn();
      const codes = (await Promise.all(visits.map(({ closed }) => closed))).map(([code]) => code as number);
      expect(new Set(codes)).toEqual(new Set([1001]));

      const { exit, lines } = await server.ended(DEADLINE);
      expect(exit).toEqual([0, null]);
      const sent = readSent(lines);
      expect(sent.size).toBe(CLIENTS);
      for (const { name, expected, wrong } of followers) {
        expect(wrong).toBeUndefined();
        expect(expected).toBeGreaterThanOrEqual(sent.get(name)!);
      }
    }
  },
);

test('nor does one of the example app, under a load of echoes', { timeout: 180_000 }, async () => {
  // How many messages a client has on the way.
  const WINDOW = 20;
  let next = 0;
  for (const server of await Promise.all([startExampleApp(), startExampleApp()])) {
    const echoed = new Map<string, number>();
    const wrong: string[] = [];
    const visits = await Promise.all(
      Array.from({ length: CLIENTS }, async (_, i) => {
        const name = `client-${i}`;
        const { ws } = await connect(server.site, `/echo/?name=${name}`);
        const closed = once(ws, 'close');
        const start = next;
        let sent = start;
        let expected = start;
        const fill = () => {
          while (sent < expected + WINDOW && ws.readyState === ws.OPEN) ws.send(String(sent++));
        };
        const reached = new Promise<void>((resolve) => {
          ws.on('message', (data: Buffer) => {
            if (data.toString() !== `${expected}这是你发来的。。。`)
              wrong.push(`${data.toString()} at ${expected}`);
            expected++;
            echoed.set(name, expected - start);
            if (expected === start + ENOUGH) resolve();
            fill();
          });
        });
        fill();
        return { closed, reached };
      }),
    );
    await within(Promise.all(visits.map(({ reached }) => reached)), 'load', 45_000);
    server.stop();
    const codes = (await within(Promise.all(visits.map(({ closed }) => closed)), 'close of each')).map(
      ([code]) => code as number,
    );
    expect(new Set(codes)).toEqual(new Set([1001]));
    const { exit, lines } = await server.ended(DEADLINE);
    expect(exit).toEqual([0, null]);
    expect(wrong).toEqual([]);
    const answered = readSent(lines);
    expect(answered.size).toBe(CLIENTS);
    for (const [name, count] of answered) expect(echoed.get(name)).toBeGreaterThanOrEqual(count);
    next += ENOUGH;
  }
});
