import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { websocketMiddleware } from 'dwebsocket';
import type { AddressInfo } from 'node:net';
import { io } from 'socket.io-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connect } from '../../test/support/client.js';
import { within } from '../../test/support/inbox.js';
import { describeCommonCheck } from '../support/common-check.js';
import { startProgram, type Program } from '../support/program.js';
import { compileNestPage, nestFolder } from './support/nest-page.js';

const faults = compileNestPage();
const start = (name: string) => startProgram([`${nestFolder}${name}.js`]);

test('TypeScript finds no fault in the code of the page', () => {
  expect(faults).toEqual([]);
});

describeCommonCheck(
  {
    name: 'NestJS',
    packages: ['@nestjs/core'],
    needs: '[`websocketMiddleware({ acceptAll: true })`](nestjs.md#setup)',
  },
  () => start('main'),
  {
    more: (check, program) => {
      check('1000', 'an interceptor lasts as long as the websocket', async () => {
        const took = () => program().lines.filter((line) => line.startsWith('secret took')).length;
        const before = took();
        const client = await connect(program(), '/secret', { headers: { authorization: 'Bearer a' } });
        client.send('hello');
        await client.next();
        expect(took()).toBe(before);
        await client.close(1000);
        await expect.poll(took).toBe(before + 1);
      });
      check('HTTP and echo', 'a wrapped route can be a middleware of forRoutes', async () => {
        const client = await connect(program(), '/clock');
        expect(Date.parse(String(await client.next()))).toBeGreaterThan(0);
        expect(client.headers['x-middleware']).toBe('yes');
      });
      check('HTTP and echo', 'a wrapped route of a controller has its own options', async () => {
        const visit = () => connect(program(), '/shout');
        const client = await visit();
        client.send('{ "text": "hello" }');
        expect(await client.next()).toBe('{"text":"HELLO"}');
        client.send('no JSON');
        expect((await client.closed()).code).toBe(1007);
        const talker = await visit();
        talker.send('x'.repeat(10_001));
        expect((await talker.closed()).code).toBe(1009);
      });
      check('1011', 'filters get the error of a wrapped route', async () => {
        const client = await connect(program(), '/shout');
        client.send('{ "text": "" }');
        expect((await client.closed()).code).toBe(1011);
        await program().printed(/failed: nothing to shout/);
      });
    },
  },
);

describeCommonCheck(
  {
    name: 'NestJS on Fastify',
    packages: ['@nestjs/core', '@nestjs/platform-fastify'],
    needs: '[`websocketMiddleware({ acceptAll: true })`, `req.raw`](nestjs.md#on-fastify)',
  },
  () => start('fastify'),
);

describe('NestJS', () => {
  /** An app in this process, on a free port. */
  async function listen(options: { prefix?: string; forceCloseConnections?: boolean } = {}) {
    const { prefix, ...rest } = options;
    const { AppModule } = (await import(/* @vite-ignore */ `${nestFolder}app.module.js`)) as {
      AppModule: object;
    };
    const app: INestApplication = await NestFactory.create(AppModule, { logger: false, ...rest });
    onTestFinished(() => app.close());
    app.use(websocketMiddleware({ acceptAll: true }));
    if (prefix !== undefined) app.setGlobalPrefix(prefix);
    await app.listen(0);
    const { port } = (app.getHttpServer() as { address(): AddressInfo }).address();
    return { app, site: { port } };
  }

  test('a global prefix holds for websockets', async () => {
    const { site } = await listen({ prefix: 'api' });
    const client = await connect(site, '/api/echo');
    client.send('hello');
    expect(await client.next()).toBe('hello');
    await expect(connect(site, '/echo')).rejects.toThrow('with 404');
  });

  test('close() closes with 1001', async () => {
    const { app, site } = await listen();
    const client = await connect(site, '/echo');
    await app.close();
    expect((await client.closed()).code).toBe(1001);
  });

  test('forceCloseConnections destroys the connections of websockets, as the page says', async () => {
    const { app, site } = await listen({ forceCloseConnections: true });
    const client = await connect(site, '/echo');
    await app.close();
    expect((await client.closed()).code).toBe(1006);
  });
});

async function startUntilFinished(name: string): Promise<Program> {
  const program = await start(name);
  onTestFinished(() => program.kill());
  return program;
}

test('with forceCloseConnections, a hook closes with 1001 before', async () => {
  const program = await startUntilFinished('force-close');
  const client = await connect(program, '/echo');
  const ended = program.stop('SIGTERM');
  expect((await client.closed()).code).toBe(1001);
  expect(await ended).toEqual({ code: 0, signal: null });
});

async function expectControllers(program: Program): Promise<void> {
  const client = await connect(program, '/echo');
  client.send('hello');
  expect(await client.next()).toBe('hello');
  await expect(connect(program, '/nowhere')).rejects.toThrow('with 404');
}

test('a gateway of ws serves its path beside the controllers', async () => {
  const program = await startUntilFinished('gateways');
  const client = await connect(program, '/gateway');
  client.send(JSON.stringify({ event: 'say', data: 'hello' }));
  expect(JSON.parse(String(await client.next()))).toEqual({ event: 'said', data: 'hello' });
  await expectControllers(program);
});

test('a gateway of Socket.IO serves its path beside the controllers', async () => {
  const program = await startUntilFinished('gateways-io');
  const socket = io(`http://127.0.0.1:${program.port}`, { transports: ['websocket'] });
  onTestFinished(() => void socket.close());
  const answer = new Promise((resolve, reject) => {
    socket.on('connect_error', reject);
    socket.on('said', resolve);
    socket.emit('say', 'hello');
  });
  expect(await within(answer, 'answer')).toBe('hello');
  await expectControllers(program);
});

// The tests of the page itself.
await import(/* @vite-ignore */ `${nestFolder}app.spec.js`);
