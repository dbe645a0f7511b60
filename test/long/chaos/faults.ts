import { type Orchestra, type Player, until } from './orchestra.js';
import { pause } from './pause.js';
import { KINDS } from './protocol.js';
import type { Random } from './random.js';

export interface FaultOptions {
  readonly timeout: number;
  readonly rooms: number;
  /** Groups that a process joins and leaves. */
  readonly crowd: number;
}

/** Does something bad, ends it, and says what it was. */
type Fault = (orchestra: Orchestra, random: Random, options: FaultOptions) => Promise<string>;

const nameOf = (orchestra: Orchestra, players: readonly Player[]): string =>
  `process ${players.map((player) => orchestra.players.indexOf(player)).join(', ')}`;

export const FAULTS: Readonly<Record<string, Fault>> = {
  async cut(orchestra, random) {
    const players = random.some(orchestra.players);
    const time = random.pick([0, 0, random.between(100, 4_000)]);
    for (const { way } of players) {
      way.isRefusing = time > 0;
      way.cut();
    }
    await pause(time);
    for (const { way } of players) way.heal();
    return `${nameOf(orchestra, players)}, refused for ${time} ms`;
  },

  async stall(orchestra, random, { timeout }) {
    const players = random.some(orchestra.players);
    const time = random.between(timeout / 4, 3 * timeout);
    for (const { way } of players) way.stall();
    await pause(time);
    for (const { way } of players) way.heal();
    return `${nameOf(orchestra, players)}, for ${time} ms`;
  },

  async slow(orchestra, random) {
    const players = random.some(orchestra.players);
    const latency = random.between(10, 150);
    for (const { way } of players) way.latency = latency;
    await pause(random.between(1_000, 4_000));
    for (const { way } of players) way.heal();
    return `${nameOf(orchestra, players)}, ${latency} ms each way`;
  },

  async kill({ master }, random) {
    const time = random.between(0, 3_000);
    await master.kill();
    await pause(time);
    await master.begin();
    return `Redis, away for ${time} ms`;
  },

  async freeze({ master }, random, { timeout }) {
    const time = random.between(timeout / 4, 2 * timeout);
    master.freeze();
    await pause(time);
    master.thaw();
    return `Redis, for ${time} ms`;
  },

  /** The replica takes over when it has everything. All connections stay open. */
  async failover(orchestra, _random, { timeout }) {
    await orchestra.untilReplicated();
    orchestra.master.cli('FAILOVER', 'TO', '127.0.0.1', String(orchestra.replica.port), 'TIMEOUT', '10000');
    await until('failover', 20_000, () => orchestra.replica.cli('ROLE').startsWith('master'));
    orchestra.swap();
    await orchestra.untilReplicated();
    // Until all have found it out.
    await pause(timeout);
    return 'with open connections';
  },

  /** The replica lags behind, and takes over when the master is lost. */
  async 'set back'(orchestra, random) {
    await orchestra.untilReplicated();
    const time = random.between(200, 2_000);
    const from = Date.now();
    orchestra.replica.cli('REPLICAOF', 'NO', 'ONE');
    await pause(time);
    await orchestra.master.kill();
    orchestra.swap();
    orchestra.setBacks.push({ from, to: Date.now() });
    await orchestra.replica.begin();
    orchestra.replica.cli('REPLICAOF', '127.0.0.1', String(orchestra.master.port));
    await orchestra.untilReplicated();
    return `by ${time} ms`;
  },

  async flood(orchestra, random, { rooms }) {
    const player = random.pick(orchestra.players);
    const room = random.between(0, rooms - 1);
    await player.tell({ do: 'flood', room, count: 20_000 });
    return `${nameOf(orchestra, [player])}, 20,000 messages to room ${room} in one turn`;
  },

  /** A process joins many groups, loses its connection, must be back in time, and leaves them while it is cut off again. */
  async churn(orchestra, random, { crowd }) {
    const player = random.pick(orchestra.players);
    const kind = random.pick(KINDS);
    await player.tell({ do: 'join', kind, count: crowd }, 300_000);
    player.way.cut();
    await pause(100);
    const time = await orchestra.untilBack(15_000);
    player.way.isRefusing = true;
    player.way.cut();
    await pause(200);
    await player.tell({ do: 'leave', kind, count: crowd });
    player.way.heal();
    await orchestra.untilBack(15_000);
    const channels = (): number =>
      orchestra.master.cli('PUBSUB', 'CHANNELS', '*:group:crowd*').split('\n').filter(Boolean).length;
    await until('end of the subscriptions', 15_000, () => channels() === 0);
    return `${nameOf(orchestra, [player])}, ${crowd} groups over ${kind}, back after ${time.toFixed(0)} ms`;
  },
};
