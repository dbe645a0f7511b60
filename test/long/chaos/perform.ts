import { expect } from 'vitest';
import type { Faults } from './faults.js';
import { judge } from './judge.js';
import type { Orchestra } from './orchestra.js';
import { pause } from './pause.js';
import type { Kind } from './protocol.js';
import { Random } from './random.js';

export const SECONDS = Number(process.env.CHAOS_SECONDS ?? 600);
const SEED = Number(process.env.CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 31));
const CHOSEN = process.env.CHAOS_FAULTS?.split(',');

const TIMEOUT = 2_000;
const ROOMS = 20;
const MAX_BUFFERED = 2 ** 24;
/** Long runs have time for more. */
const CROWD = Number(process.env.CHAOS_CROWD ?? (SECONDS >= 300 ? 150_000 : 20_000));
/** Bytes. A group of the crowd takes 5,500; V8 lets garbage more than double that before it collects. */
const BYTES_OF_GROUP = 13_000;
/** Bytes. What a process needs for itself, its crowd and its notes, and what waits for the server. */
const MAX_RSS = 700 * 2 ** 20 + 4 * MAX_BUFFERED + CROWD * BYTES_OF_GROUP;
/** The same at the end, when the crowd has left and nothing waits. */
const MAX_HEAP = 150 * 2 ** 20;
/** Milliseconds after which everybody must be back when a fault has ended. */
const BACK = 15_000;

export const SETTINGS = { rooms: ROOMS, timeout: TIMEOUT, maxBuffered: MAX_BUFFERED, pace: 5, seed: SEED };

/** Disturbs an orchestra for a while, and looks at every message afterwards. */
export async function perform<O extends Orchestra>(
  begin: (faults: string[]) => Promise<O>,
  all: Faults<O>,
  kinds: readonly Kind[],
  seconds = SECONDS,
): Promise<void> {
  const faults: string[] = [];
  const say = (text: string): void => void process.stdout.write(`${new Date().toISOString()} ${text}\n`);
  say(
    `chaos for ${seconds} s over ${kinds.join(' and ')}; again with CHAOS_SECONDS=${SECONDS} CHAOS_SEED=${SEED}`,
  );
  const random = new Random(SEED);
  const orchestra = await begin(faults);
  try {
    await Promise.all(orchestra.players.map((player) => player.tell({ do: 'start' })));
    const names = Object.keys(all).filter((name) => CHOSEN?.includes(name) ?? true);
    const end = performance.now() + seconds * 1_000;
    const waiting = [...names];
    while (performance.now() < end && faults.length === 0 && names.length > 0) {
      // Each comes before one comes again.
      if (waiting.length === 0) waiting.push(...names);
      const name = waiting.splice(random.between(0, waiting.length - 1), 1)[0]!;
      const what = await all[name]!(orchestra, random, {
        timeout: TIMEOUT,
        rooms: ROOMS,
        crowd: CROWD,
        kinds,
      });
      const took = await orchestra.untilBack(BACK);
      say(`${name}: ${what}; all were back ${took.toFixed(0)} ms after it`);
      await pause(random.between(200, 1_500));
    }
    await finish(orchestra, faults, say);
  } finally {
    await orchestra.end();
  }
  expect(faults.slice(0, 20)).toEqual([]);
}

async function finish(orchestra: Orchestra, faults: string[], say: (text: string) => void): Promise<void> {
  const { players } = orchestra;
  await Promise.all(players.map((player) => player.tell({ do: 'stop' })));
  await Promise.all(players.map((player) => player.tell({ do: 'finish' })));
  // What was sent last arrives; there is no event for all of it.
  await pause(3_000);
  await Promise.all(players.map((player) => player.tell({ do: 'collect' })));
  const statuses = await Promise.all(players.map((player) => player.status()));
  const answers = await Promise.all(players.map((player) => player.tell({ do: 'report' })));
  const reports = Array.from({ length: Math.max(...players.map(({ index }) => index)) + 1 }, (_, index) => {
    const place = players.findIndex((player) => player.index === index);
    return answers[place]?.report;
  });
  faults.push(...judge(reports, TIMEOUT, orchestra.setBacks));
  for (const [place, { rss, heap, received }] of statuses.entries()) {
    const [most, now] = [rss, heap].map((bytes) => `${(bytes / 2 ** 20).toFixed(0)} MiB`);
    const process = `process ${players[place]!.index}`;
    say(`${process}: ${received} messages came; at most ${most}, heap now ${now}`);
    if (rss > MAX_RSS) faults.push(`${process} took ${most}`);
    if (heap > MAX_HEAP) faults.push(`${process} still takes ${now}`);
  }
}
