import { connect, type NatsConnection } from '@nats-io/transport-node';
import { natsBackplane } from 'dwebsocket/groups/nats';
import { backplaneContract } from 'dwebsocket/testing';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { hasNats, NatsServer } from './support/nats-server.js';

const MAX_BUFFERED = 2 ** 23;

describe.runIf(hasNats)('over NATS', () => {
  let server: NatsServer;
  const open: NatsConnection[] = [];

  beforeAll(async () => {
    server = await NatsServer.start();
  });

  afterAll(async () => {
    await Promise.all(open.map((connection) => connection.close()));
    await server.stop();
  });

  backplaneContract('natsBackplane', {
    test: (name, run) => test(name, { timeout: 90_000 }, run),
    async create() {
      const connection = await connect({
        servers: server.url,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 100,
      });
      open.push(connection);
      return natsBackplane(connection, { timeout: 3_000, maxBuffered: MAX_BUFFERED });
    },
    patience: 15_000,
    maxBuffered: MAX_BUFFERED,
    outage: { begin: () => server.kill(), end: () => server.begin() },
  });
});
