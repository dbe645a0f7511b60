import { backplaneContract } from 'dwebsocket/testing';
import { test } from 'vitest';
import { postgresBackplane } from './support/postgres-backplane.js';
import { TinyPostgres } from './support/tiny-postgres.js';

const database = new TinyPostgres();

backplaneContract('PostgreSQL', {
  test,
  create: () => postgresBackplane(database.connect),
  outage: { begin: () => database.stop(), end: () => database.begin() },
  maxPayload: 5_000,
});
