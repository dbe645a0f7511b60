import { ours, packagesOf } from '../candidates.js';
import { figure, interleave, withServer, type LoadChild, type Settings } from '../measure.js';
import type { Target } from '../load/connection.js';
import { KINDS, type Shares } from '../profile.js';
import type { Result } from './part.js';

interface Work {
  title: string;
  start: (load: LoadChild, target: Target) => Promise<unknown>;
}

const plan = { bytes: 32, binary: false, connections: 50, dialect: ours.dialect };
const works: Work[] = [
  {
    title: 'echo, 32 B × 1',
    start: (load, target) => load.ask('startEcho', { target, plan: { ...plan, inFlight: 1 } }),
  },
  {
    title: 'echo, 32 B × 64',
    start: (load, target) => load.ask('startEcho', { target, plan: { ...plan, inFlight: 64 } }),
  },
  {
    title: 'echo, 64 KiB × 4',
    start: (load, target) => load.ask('startEcho', { target, plan: { ...plan, bytes: 65_536, inFlight: 4 } }),
  },
  {
    title: 'new connections',
    start: (load, target) => load.ask('startVisits', { target, plan: { atOnce: 32 } }),
  },
];

/** Measures where the time of our server goes, with the sampling profiler of V8. */
export async function measureProfile(settings: Settings): Promise<Result> {
  const columns: Shares[] = [];
  for (const { start } of works) {
    const rounds = await interleave([ours], settings.rounds, (candidate) =>
      withServer(candidate, { part: 'echo' }, async (server, load, target) => {
        await start(load, target);
        await load.ask('measure', 6 * settings.warmUp);
        await server.ask('startProfile');
        await load.ask('measure', 2 * settings.window);
        return server.ask('stopProfile');
      }),
    );
    const column = KINDS.map((kind) => [kind, figure(rounds, ours, (shares) => shares[kind])]);
    columns.push(Object.fromEntries(column) as Shares);
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
    packages: packagesOf([ours]),
  };
}
