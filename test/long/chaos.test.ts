import { describe, test } from 'vitest';
import { clientKinds } from '../groups/support/clients.js';
import { hasNats, NatsServer } from '../groups/support/nats-server.js';
import { hasPostgres, PostgresServer } from '../groups/support/postgres-server.js';
import { hasRedis } from '../groups/support/redis-server.js';
import { LOCAL_FAULTS, REDIS_FAULTS, SERVER_FAULTS } from './chaos/faults.js';
import { LocalOrchestra } from './chaos/local-orchestra.js';
import { perform, SECONDS, SETTINGS } from './chaos/perform.js';
import { type Kind, REDIS_KINDS } from './chaos/protocol.js';
import { RedisOrchestra } from './chaos/redis-orchestra.js';
import { ServerOrchestra } from './chaos/server-orchestra.js';

// Four processes talk over a backplane while the network, the server and they themselves are disturbed. Then every message
// is looked at: in order, once, and when it did not come somebody was told. Over Redis each process has another client, and
// talks over both backplanes.
//
// CHAOS_SEED=… plays the same faults again, CHAOS_SECONDS=60 takes one minute instead of ten for Redis (the others take a third
// of it), and CHAOS_FAULTS=cut,kill chooses among the faults.

/** Each of the newer backplanes is one kind, over one client. */
const SHARE = Math.ceil(SECONDS / 3);

const four = (kind: Kind) => [0, 1, 2, 3].map((index) => ({ ...SETTINGS, index, kinds: [kind] }));

describe('chaos: whatever happens, each message comes once and in order, or its loss is told', () => {
  test.runIf(hasRedis)('over Redis', async () => {
    const players = clientKinds.map(({ name }, index) => ({
      ...SETTINGS,
      kinds: REDIS_KINDS,
      client: name,
      index,
    }));
    await perform((faults) => RedisOrchestra.begin(players, faults), REDIS_FAULTS, REDIS_KINDS);
  });

  test.runIf(hasNats)('over NATS', async () => {
    const begin = async (faults: string[]) =>
      ServerOrchestra.begin('NATS', await NatsServer.start(), four('nats'), faults);
    await perform(begin, SERVER_FAULTS, ['nats'], SHARE);
  });

  test.runIf(hasPostgres)('over PostgreSQL', async () => {
    const begin = async (faults: string[]) =>
      ServerOrchestra.begin('PostgreSQL', await PostgresServer.start(), four('postgres'), faults);
    await perform(begin, SERVER_FAULTS, ['postgres'], SHARE);
  });

  test.runIf(process.platform === 'linux')('over a socket of this machine', async () => {
    const begin = (faults: string[]) => LocalOrchestra.begin(4, { ...SETTINGS, kinds: ['local'] }, faults);
    await perform(begin, LOCAL_FAULTS, ['local'], SHARE);
  });
});
