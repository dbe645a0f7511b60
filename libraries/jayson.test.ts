import { once } from 'node:events';
import jayson from 'jayson/promise/index.js';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket, type WebSocketServer } from 'ws';
import { openLossyLine } from './support/lossy-line.js';
import { serveBlock, type LibrarySite } from './support/serve-library.js';

async function serveJayson(): Promise<LibrarySite & { sockets: WebSocketServer }> {
  const site = await serveBlock('jayson');
  return { ...site, sockets: site.exports.sockets as WebSocketServer };
}

async function connect(url: string): Promise<{ ws: WebSocket; client: jayson.WebsocketClient }> {
  const ws = new WebSocket(url);
  onTestFinished(() => {
    ws.terminate();
  });
  // The types of jayson mean another version of ws.
  const client = jayson.Client.websocket({ ws: ws as never });
  await once(ws, 'open');
  return { ws, client };
}

test('a client calls a method, also in a batch, and the server forgets it when it closes', async () => {
  const { url, sockets, expectQuiet } = await serveJayson();
  const { ws, client } = await connect(url('/jayson'));
  expect(await client.request('add', [1, 2])).toMatchObject({ result: 3 });
  const batch = [
    client.request('add', [1, 1], undefined, false),
    client.request('add', [2, 2], undefined, false),
  ];
  expect(await client.request(batch)).toMatchObject([{ result: 2 }, { result: 4 }]);
  expect(sockets.clients.size).toBe(1);
  ws.close();
  await expectQuiet();
  expect(sockets.clients.size).toBe(0);
});

test('text that is not JSON gets an error of the library', async () => {
  const { url, expectQuiet } = await serveJayson();
  const { ws } = await connect(url('/jayson'));
  ws.send('{');
  const [answer] = (await once(ws, 'message')) as [Buffer];
  expect(JSON.parse(answer.toString())).toMatchObject({ error: { code: -32_700 } });
  ws.close();
  await expectQuiet();
});

test('the server forgets a client whose connection is lost', async () => {
  const { port, sockets, expectQuiet } = await serveJayson();
  const line = await openLossyLine(port);
  const { client } = await connect(line.url('/jayson'));
  expect(await client.request('add', [1, 2])).toMatchObject({ result: 3 });
  expect(sockets.clients.size).toBe(1);
  line.lose();
  await expect.poll(() => sockets.clients.size).toBe(0);
  await expectQuiet();
});

test('a shutdown closes with 1001', async () => {
  const { url, sockets, shutDown, expectQuiet } = await serveJayson();
  const { ws } = await connect(url('/jayson'));
  const closed = once(ws, 'close');
  await shutDown();
  expect((await closed)[0]).toBe(1001);
  expect(sockets.clients.size).toBe(0);
  await expectQuiet();
});
