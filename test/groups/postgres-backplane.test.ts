import { postgresBackplane } from 'dwebsocket/groups/postgres';
import { backplaneContract } from 'dwebsocket/testing';
import { Pool } from 'pg';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { hasPostgres, PostgresServer } from './support/postgres-server.js';

const MAX_BUFFERED = 2 ** 23;

describe.runIf(hasPostgres)('over PostgreSQL', () => {
  let server: PostgresServer;
  const open: Pool[] = [];

  beforeAll(async () => {
    server = await PostgresServer.start();
  });

  afterAll(async () => {
    await Promise.all(open.map((pool) => pool.end()));
    await server.stop();
  });

  backplaneContract('postgresBackplane', {
    test: (name, run) => test(name, { timeout: 90_000 }, run),
    create() {
      const pool = new Pool({ connectionString: server.url });
      pool.on('error', () => {});
      open.push(pool);
      return postgresBackplane(pool, { timeout: 3_000, maxBuffered: MAX_BUFFERED });
    },
    patience: 15_000,
    maxBuffered: MAX_BUFFERED,
    outage: { begin: () => server.kill(), end: () => server.begin() },
  });
});
