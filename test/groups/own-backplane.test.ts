import { backplaneContract } from 'dwebsocket/testing';
import { expect, test } from 'vitest';
import { defer } from '../support/inbox.js';
import { postgresBackplane } from './support/postgres-backplane.js';
import { TinyPostgres } from './support/tiny-postgres.js';

const database = new TinyPostgres();

backplaneContract('PostgreSQL', {
  test,
  create: () => postgresBackplane(database.connect),
  outage: { begin: () => database.stop(), end: () => database.begin() },
  maxPayload: 5_000,
});

test('close() during a reconnect leaves no connection, and afterwards no event and no message follows', async () => {
  const postgres = new TinyPostgres();
  const [reconnecting, goOn, done] = [defer(), defer(), defer()];
  let connections = 0;
  const backplane = postgresBackplane(async () => {
    if (++connections === 1) return postgres.connect();
    reconnecting.resolve();
    await goOn.promise;
    const client = await postgres.connect();
    client.on('end', () => done.resolve());
    return client;
  });
  const recorded: string[] = [];
  backplane.start({
    message: () => recorded.push('message'),
    cutOff: () => recorded.push('cutOff'),
    back: () => recorded.push('back'),
    missed: () => {},
    dropped: () => {},
  });
  await backplane.subscribe('a');
  postgres.stop();
  postgres.begin();
  await reconnecting.promise;
  await backplane.close();
  goOn.resolve();
  await done.promise;
  expect([postgres.size, recorded]).toEqual([0, ['cutOff']]);
  await expect(Promise.resolve(backplane.publish('a', Buffer.from('x')))).rejects.toThrow('closed');
});
