import { bare, net, ours, packagesOf } from '../candidates.js';
import type { Latency } from '../load/latency.js';
import { figure, interleave, ratio, withServer, type Settings } from '../measure.js';
import { echoOnce } from './echo.js';
import { claimAtMost, thousands, type Result } from './part.js';

const script = { bytes: 32, binary: false };
const candidates = [ours, bare, net];
const byMedian = ({ p50 }: Latency): number => p50;
const byP99 = ({ p99 }: Latency): number => p99;

/** Measures the round trip of a message at half of the load that bare `ws` can echo. */
export async function measureLatency(settings: Settings): Promise<Result> {
  const top = await echoOnce(bare, { ...script, inFlight: 64 }, settings);
  const rate = Math.round(top.rate / 2);
  const rounds = await interleave(candidates, settings.rounds, async (candidate) => {
    const { dialect } = candidate;
    return withServer(
      candidate,
      { part: 'echo', argument: { ...script, dialect } },
      (_server, load, target) =>
        load.ask('latency', {
          target,
          plan: {
            ...script,
            dialect,
            connections: 50,
            rate,
            warmUp: settings.warmUp,
            seconds: settings.window * 2,
          },
        }),
    );
  });
  const to = (of: (latency: Latency) => number): number => ratio(rounds, ours, bare, of);
  return {
    title: 'Latency',
    method:
      `32-byte text over 50 connections, ${thousands(rate)} messages a second: half of the most that bare ws echoes ` +
      '(64 in flight). They are sent at a fixed rate, and a round trip counts from the time at which its message was due.',
    tables: [
      {
        caption: 'Milliseconds for a round trip',
        head: ['', 'median', '99 of 100'],
        rows: candidates.map((candidate) => [
          candidate.title,
          figure(rounds, candidate, byMedian).toFixed(3),
          figure(rounds, candidate, byP99).toFixed(3),
        ]),
      },
    ],
    packages: packagesOf(candidates),
    claims: [
      claimAtMost('median round trip at half of the top load of ws', 'ws', 1.5, to(byMedian)),
      claimAtMost('p99 round trip at half of the top load of ws', 'ws', 0.75, to(byP99)),
    ],
  };
}
