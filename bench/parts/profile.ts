import { hasRedis } from '../../test/groups/support/redis-server.js';
import { ours, packagesOf } from '../candidates.js';
import type { Target } from '../load/connection.js';
import {
  figure,
  interleave,
  withServer,
  withServers,
  type LoadChild,
  type ServerChild,
  type Settings,
} from '../measure.js';
import { KINDS, type Shares } from '../profile.js';
import type { Result } from './part.js';
import { many, startRelay, withRedis } from './relay.js';

const ROUNDS = 3;
const plan = { bytes: 32, binary: false, connections: 50, dialect: ours.dialect };

interface Work {
  title: string;
  run: (settings: Settings) => Promise<Shares>;
}

const works: Work[] = [
  work('echo, 32 B × 1', (load, target) => load.ask('startEcho', { target, plan: { ...plan, inFlight: 1 } })),
  ...[16, 64].map((inFlight) =>
    work(`echo, 32 B × ${String(inFlight)}`, (load, target) =>
      load.ask('startEcho', { target, plan: { ...plan, inFlight } }),
    ),
  ),
  work('echo, 64 KiB × 4', (load, target) =>
    load.ask('startEcho', { target, plan: { ...plan, bytes: 65_536, inFlight: 4 } }),
  ),
  work('echo, 64 KiB × 4, binary', (load, target) =>
    load.ask('startEcho', { target, plan: { ...plan, bytes: 65_536, inFlight: 4, binary: true } }),
  ),
  work('new connections', (load, target) => load.ask('startVisits', { target, plan: { atOnce: 32 } })),
  ...(hasRedis ? [{ title: `groups over Redis, ${many.title}`, run: profileRelay }] : []),
];

/** Measures where the time of our server goes, with the sampling profiler of V8. */
export async function measureProfile(settings: Settings): Promise<Result> {
  const columns: Shares[] = [];
  for (const { run } of works) {
    const rounds = await interleave([ours], settings.quick ? 1 : ROUNDS, () => run(settings));
    columns.push(sharesOf((kind) => figure(rounds, ours, (shares) => shares[kind])));
  }
  return {
    title: 'Profile',
    method:
      'The share of the time of our server, without the time in which it waits. A sample counts for the function that ' +
      'runs, and not for its callers.',
    tables: [
      {
        caption: 'Profile',
        head: ['', ...works.map(({ title }) => title)],
        rows: KINDS.map((kind) => [kind, ...columns.map((shares) => `${(100 * shares[kind]).toFixed(0)} %`)]),
      },
    ],
    claims: [],
    packages: [...packagesOf([ours]), 'redis'],
    rounds: ROUNDS,
  };
}

function work(title: string, start: (load: LoadChild, target: Target) => Promise<unknown>): Work {
  const run = (settings: Settings): Promise<Shares> =>
    withServer(ours, { part: 'echo' }, async (server, load, target) => {
      await start(load, target);
      return profile([server], load, settings);
    });
  return { title, run };
}

function profileRelay(settings: Settings): Promise<Shares> {
  return withRedis((redis) =>
    withServers(
      ours,
      many.processes,
      { part: 'groups', argument: { burst: 1, redis } },
      async (servers, load, targets) => {
        await startRelay(many, load, targets);
        return profile(servers, load, settings);
      },
    ),
  );
}

/** Returns the mean of all servers. */
async function profile(servers: ServerChild[], load: LoadChild, settings: Settings): Promise<Shares> {
  await load.ask('measure', 6 * settings.warmUp);
  for (const server of servers) await server.ask('startProfile');
  await load.ask('measure', 2 * settings.window);
  const all: Shares[] = [];
  for (const server of servers) all.push(await server.ask('stopProfile'));
  return sharesOf((kind) => all.reduce((sum, shares) => sum + shares[kind], 0) / all.length);
}

function sharesOf(share: (kind: keyof Shares) => number): Shares {
  return Object.fromEntries(KINDS.map((kind) => [kind, share(kind)])) as Shares;
}
