import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { within } from '../../test/support/inbox.js';
import { describeFramework } from './support/describe-framework.js';

describeFramework(
  {
    name: 'Fastify',
    packages: ['fastify'],
    needs: '[an adapter](#fastify)',
  },
  'fastify',
  {
    logs: true,
    more: (_check, program) => {
      test('each address of localhost has a server of its own, and serves', async () => {
        for (const { address, family } of await lookup('localhost', { all: true })) {
          const host = family === 6 ? `[${address}]` : address;
          const socket = new WebSocket(`ws://${host}:${program().port}/once`);
          onTestFinished(() => socket.terminate());
          socket.on('open', () => socket.send(host));
          const [message] = (await within(once(socket, 'message'), `answer of ${host}`)) as [Buffer];
          expect(message.toString()).toBe(host);
        }
      });
    },
  },
);

describeFramework(
  {
    name: 'Fastify with @fastify/middie',
    packages: ['@fastify/middie'],
    needs: '[`app.use(path, route)`](#fastify-with-fastifymiddie)',
  },
  'fastify-with-fastifymiddie',
);

describeFramework(
  {
    name: 'Fastify with @fastify/express',
    packages: ['@fastify/express'],
    needs: '[`app.use(router)`](#fastify-with-fastifyexpress)',
  },
  'fastify-with-fastifyexpress',
);
