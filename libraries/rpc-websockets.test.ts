import { once } from 'node:events';
import express, { Router } from 'express';
import { Client, Server } from 'rpc-websockets';
import { expect, onTestFinished, test } from 'vitest';
import { requireWebsocket } from 'dwebsocket';
import { Inbox } from '../test/support/inbox.js';
import { openLossyLine } from './support/lossy-line.js';
import { serveApp, serveBlock, type LibrarySite } from './support/serve-library.js';

async function serveRpc(): Promise<LibrarySite & { rpc: Server }> {
  const site = await serveBlock('rpc-websockets');
  return { ...site, rpc: site.exports.rpc as Server };
}

async function connect(url: string): Promise<Client> {
  const client = new Client(url, { reconnect: false });
  onTestFinished(() => {
    client.close();
  });
  await once(client as unknown as NodeJS.EventEmitter, 'open');
  return client;
}

function clientsOf(rpc: Server): number {
  return Object.keys(rpc.of('/rpc').connected()).length;
}

test('a client calls a method and gets an event, and the server forgets it when it closes', async () => {
  const { url, rpc, expectQuiet } = await serveRpc();
  const client = await connect(url('/rpc'));
  expect(await client.call('add', [1, 2])).toBe(3);
  await expect(client.call('missing')).rejects.toMatchObject({ code: -32_601 });
  const news = new Inbox<unknown>();
  client.on('news', (text) => news.push(text));
  await client.subscribe('news');
  rpc.emit('news', 'hello');
  expect(await news.next('event')).toBe('hello');
  expect([clientsOf(rpc), rpc.wss.clients.size]).toEqual([1, 1]);
  client.close();
  await expectQuiet();
  expect([clientsOf(rpc), rpc.wss.clients.size]).toEqual([0, 0]);
});

test('the server forgets a client whose connection is lost', async () => {
  const { port, rpc, expectQuiet } = await serveRpc();
  const line = await openLossyLine(port);
  const client = await connect(line.url('/rpc'));
  expect(await client.call('add', [1, 2])).toBe(3);
  line.lose();
  await expect.poll(() => [clientsOf(rpc), rpc.wss.clients.size]).toEqual([0, 0]);
  await expectQuiet();
});

test('a shutdown closes with 1001', async () => {
  const { url, rpc, shutDown, expectQuiet } = await serveRpc();
  const client = await connect(url('/rpc'));
  const codes = new Inbox<number>();
  client.on('close', (code: number) => codes.push(code));
  await shutDown();
  expect(await codes.next('close')).toBe(1001);
  await expect.poll(() => clientsOf(rpc)).toBe(0);
  await expectQuiet();
});

test('in a mounted router the namespace is the path in the router', async () => {
  const rpc = new Server({ noServer: true });
  rpc.register('name', () => 'inner', '/rpc');
  rpc.register('name', () => 'whole', '/api/rpc');
  const router = Router();
  router.get(
    '/rpc',
    requireWebsocket((req) => {
      req.websocket.handOver(rpc.wss);
    }),
  );
  const { url, expectQuiet } = await serveApp(express().use('/api', router));
  const client = await connect(url('/api/rpc'));
  expect(await client.call('name')).toBe('inner');
  client.close();
  await expectQuiet();
});
