import type { LocalOrchestra } from './local-orchestra.js';
import { type Orchestra, until } from './orchestra.js';
import { pause } from './pause.js';
import type { Player } from './player-process.js';
import type { Kind } from './protocol.js';
import type { Random } from './random.js';
import type { RedisOrchestra } from './redis-orchestra.js';
import { rm } from 'node:fs/promises';

export interface FaultOptions {
  readonly timeout: number;
  readonly rooms: number;
  readonly kinds: readonly Kind[];
  /** Groups that a process joins and leaves. */
  readonly crowd: number;
}

/** Does something bad, ends it, and says what it was. */
type Fault<O extends Orchestra> = (orchestra: O, random: Random, options: FaultOptions) => Promise<string>;
export type Faults<O extends Orchestra> = Readonly<Record<string, Fault<O>>>;

const nameOf = (players: readonly Player[]): string =>
  `process ${players.map(({ index }) => index).join(', ')}`;

/** Of the network between a process and the server. */
const NETWORK: Faults<Orchestra> = {
  async cut(orchestra, random) {
    const players = random.some(orchestra.players);
    const time = random.pick([0, 0, random.between(100, 4_000)]);
    for (const { way } of players) {
      way.isRefusing = time > 0;
      way.cut();
    }
    await pause(time);
    for (const { way } of players) way.heal();
    return `${nameOf(players)}, refused for ${time} ms`;
  },

  async stall(orchestra, random, { timeout }) {
    const players = random.some(orchestra.players);
    const time = random.between(timeout / 4, 3 * timeout);
    for (const { way } of players) way.stall();
    await pause(time);
    for (const { way } of players) way.heal();
    return `${nameOf(players)}, for ${time} ms`;
  },

  async slow(orchestra, random) {
    const players = random.some(orchestra.players);
    const latency = random.between(10, 150);
    for (const { way } of players) way.latency = latency;
    await pause(random.between(1_000, 4_000));
    for (const { way } of players) way.heal();
    return `${nameOf(players)}, ${latency} ms each way`;
  },
};

/** Of any server, or of the process that takes its place. */
const SERVER: Faults<Orchestra> = {
  async kill({ server, name }, random) {
    const time = random.between(0, 3_000);
    await server.kill();
    await pause(time);
    await server.begin();
    return `${name}, away for ${time} ms`;
  },

  async freeze({ server, name }, random, { timeout }) {
    const time = random.between(timeout / 4, 2 * timeout);
    server.freeze();
    await pause(time);
    server.thaw();
    return `${name}, for ${time} ms`;
  },

  async flood(orchestra, random, { rooms }) {
    const player = random.pick(orchestra.players);
    const room = random.between(0, rooms - 1);
    await player.tell({ do: 'flood', room, count: 20_000 });
    return `${nameOf([player])}, 20,000 messages to room ${room} in one turn`;
  },
};

/** A process joins many groups, loses its connection, must be back in time, and leaves them while it is cut off again. */
const churn: Fault<Orchestra> = async (orchestra, random, { crowd, kinds }) => {
  const player = random.pick(orchestra.players);
  const kind = random.pick(kinds);
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
  await orchestra.untilCrowdIsGone();
  return `${nameOf([player])}, ${crowd} groups over ${kind}, back after ${time.toFixed(0)} ms`;
};

export const SERVER_FAULTS: Faults<Orchestra> = { ...NETWORK, ...SERVER, churn };

export const REDIS_FAULTS: Faults<RedisOrchestra> = {
  ...SERVER_FAULTS,

  /** The replica takes over when it has everything. All connections stay open. */
  async failover(orchestra, _random, { timeout }) {
    await orchestra.untilReplicated();
    orchestra.server.cli('FAILOVER', 'TO', '127.0.0.1', String(orchestra.replica.port), 'TIMEOUT', '10000');
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
    await orchestra.server.kill();
    orchestra.swap();
    orchestra.setBacks.push({ from, to: Date.now() });
    await orchestra.replica.begin();
    orchestra.replica.cli('REPLICAOF', '127.0.0.1', String(orchestra.server.port));
    await orchestra.untilReplicated();
    return `by ${time} ms`;
  },
};

export const LOCAL_FAULTS: Faults<LocalOrchestra> = {
  ...SERVER,

  async 'freeze a process'(orchestra, random, { timeout }) {
    const player = random.pick(orchestra.players);
    const time = random.between(timeout / 4, 3 * timeout);
    player.signal('SIGSTOP');
    await pause(time);
    player.signal('SIGCONT');
    return `${nameOf([player])}, for ${time} ms`;
  },

  /** The hub closes its groups, as at a restart of its app. Nobody may lose a message. */
  async 'hand over'(orchestra) {
    const hub = await orchestra.findHub();
    await hub.tell({ do: 'reopen' });
    return nameOf([hub]);
  },

  /** Something removes the socket file, such as a cleaner of temporary files. */
  async unlink(orchestra) {
    await rm(orchestra.path, { force: true });
    // Until the hub has found it out.
    await pause(1_000);
    return 'the socket file';
  },

  async churn(orchestra, random, { crowd }) {
    const player = random.pick(orchestra.players);
    await player.tell({ do: 'join', kind: 'local', count: crowd }, 300_000);
    await rm(orchestra.path, { force: true });
    await pause(1_000);
    const time = await orchestra.untilBack(15_000);
    await player.tell({ do: 'leave', kind: 'local', count: crowd });
    return `${nameOf([player])}, ${crowd} groups, back after ${time.toFixed(0)} ms`;
  },
};
