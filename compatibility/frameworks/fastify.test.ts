import { expect, test } from 'vitest';
import { describeCommonCheck } from '../support/common-check.js';
import { startSection } from './support/section.js';

describeCommonCheck(
  {
    name: 'Fastify',
    packages: ['fastify'],
    needs: '[an adapter with `reply.hijack()`](#fastify)',
  },
  () => startSection('fastify'),
  {
    more: (_check, program) => {
      test('localhost has two addresses, and so the app has two servers', async () => {
        for (const host of ['127.0.0.1', '[::1]']) {
          const socket = new WebSocket(`ws://${host}:${program().port}/once`);
          socket.addEventListener('open', () => socket.send(host));
          const message = await new Promise((resolve, reject) => {
            socket.addEventListener('message', (event) => resolve((event as MessageEvent).data));
            socket.addEventListener('error', () => reject(new Error(`${host} refused`)));
          });
          expect(message).toBe(host);
        }
      });
    },
  },
);

describeCommonCheck(
  {
    name: 'Fastify with @fastify/middie',
    packages: ['@fastify/middie'],
    needs: '[`app.use(path, route)`](#fastify-with-fastifymiddie)',
  },
  () => startSection('fastify-with-fastifymiddie'),
);

describeCommonCheck(
  {
    name: 'Fastify with @fastify/express',
    packages: ['@fastify/express'],
    needs: '[`app.use(router)`](#fastify-with-fastifyexpress)',
  },
  () => startSection('fastify-with-fastifyexpress'),
);
