import { afterEach, expect, test } from 'vitest';
import { clientKinds } from '../groups/support/clients.js';
import { hasRedis } from '../groups/support/redis-server.js';
import { FAULTS } from './chaos/faults.js';
import { judge } from './chaos/judge.js';
import { Orchestra } from './chaos/orchestra.js';
import { pause } from './chaos/pause.js';
import { Random } from './chaos/random.js';

// Four processes, each with another client, talk over both backplanes while the network, Redis and they themselves are
// disturbed. Then every message is looked at: in order, once, and when it did not come somebody was told.
//
// CHAOS_SEED=… plays the same faults again, CHAOS_SECONDS=60 takes one minute instead of ten, and CHAOS_FAULTS=cut,kill
// chooses among the faults.

const SECONDS = Number(process.env.CHAOS_SECONDS ?? 600);
const SEED = Number(process.env.CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 31));
const NAMES = process.env.CHAOS_FAULTS?.split(',') ?? Object.keys(FAULTS);

const TIMEOUT = 2_000;
const ROOMS = 20;
const MAX_BUFFERED = 2 ** 24;
/** Long runs have time for more. */
const CROWD = Number(process.env.CHAOS_CROWD ?? (SECONDS >= 300 ? 150_000 : 20_000));
/** Bytes. A group of the crowd takes 5,500; V8 lets garbage more than double that before it collects. */
const BYTES_OF_GROUP = 13_000;
/** Bytes. What a process needs for itself, its crowd and its notes, and what waits for Redis. */
const MAX_RSS = 700 * 2 ** 20 + 4 * MAX_BUFFERED + CROWD * BYTES_OF_GROUP;
/** The same at the end, when the crowd has left and nothing waits. */
const MAX_HEAP = 150 * 2 ** 20;
/** Milliseconds after which everybody must be back when a fault has ended. */
const BACK = 15_000;

let orchestra: Orchestra | undefined;

afterEach(() => orchestra?.end());

test.runIf(hasRedis)(
  'chaos: whatever happens, each message comes once and in order, or its loss is told',
  async () => {
    const faults: string[] = [];
    const say = (text: string): void => void process.stdout.write(`${new Date().toISOString()} ${text}\n`);
    say(`chaos for ${SECONDS} s; again with CHAOS_SECONDS=${SECONDS} CHAOS_SEED=${SEED}`);
    const random = new Random(SEED);
    const settings = { rooms: ROOMS, timeout: TIMEOUT, maxBuffered: MAX_BUFFERED, pace: 5, seed: SEED };
    const clients = clientKinds.map(({ name }, index) => ({ ...settings, client: name, index }));
    orchestra = await Orchestra.begin(clients, faults);
    const { players } = orchestra;
    await Promise.all(players.map((player) => player.tell({ do: 'start' })));

    const end = performance.now() + SECONDS * 1_000;
    const waiting = [...NAMES];
    while (performance.now() < end && faults.length === 0) {
      // Each comes before one comes again.
      if (waiting.length === 0) waiting.push(...NAMES);
      const name = waiting.splice(random.between(0, waiting.length - 1), 1)[0]!;
      const what = await FAULTS[name]!(orchestra, random, { timeout: TIMEOUT, rooms: ROOMS, crowd: CROWD });
      const took = await orchestra.untilBack(BACK);
      say(`${name}: ${what}; all were back ${took.toFixed(0)} ms after it`);
      await pause(random.between(200, 1_500));
    }

    await Promise.all(players.map((player) => player.tell({ do: 'stop' })));
    await Promise.all(players.map((player) => player.tell({ do: 'finish' })));
    // What was sent last arrives; there is no event for all of it.
    await pause(3_000);
    await Promise.all(players.map((player) => player.tell({ do: 'collect' })));
    const statuses = await Promise.all(players.map((player) => player.status()));
    const answers = await Promise.all(players.map((player) => player.tell({ do: 'report' })));
    faults.push(
      ...judge(
        answers.map(({ report }) => report!),
        TIMEOUT,
        orchestra.setBacks,
      ),
    );
    for (const [index, { rss, heap, received }] of statuses.entries()) {
      const [most, now] = [rss, heap].map((bytes) => `${(bytes / 2 ** 20).toFixed(0)} MiB`);
      say(
        `process ${index} (${clients[index]!.client}): ${received} messages came; at most ${most}, heap now ${now}`,
      );
      if (rss > MAX_RSS) faults.push(`process ${index} took ${most}`);
      if (heap > MAX_HEAP) faults.push(`process ${index} still takes ${now}`);
    }
    expect(faults.slice(0, 20)).toEqual([]);
  },
);
