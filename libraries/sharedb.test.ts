import ShareDB from 'sharedb';
import { Connection, type Doc } from 'sharedb/lib/client';
import type { Socket } from 'sharedb/lib/sharedb';
import { expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { defer, Inbox } from '../test/support/inbox.js';
import { serveBlock } from './support/serve-library.js';

async function serve() {
  const site = await serveBlock('sharedb');
  return { ...site, backend: site.exports.backend as ShareDB & { agentsCount: number } };
}

function connect(url: string) {
  const ws = new WebSocket(url);
  const closes = new Inbox<number>();
  ws.on('close', (code) => closes.push(code));
  const connection = new Connection(ws as unknown as Socket);
  onTestFinished(() => {
    ws.terminate();
  });
  return { ws, connection, closes };
}

/** Calls a method that takes a callback of Node. */
async function call(method: (callback: (error?: unknown) => void) => void): Promise<void> {
  const done = defer();
  method((error) => {
    if (error == null) done.resolve();
    else done.reject(error);
  });
  await done.promise;
}

async function subscribe(connection: Connection, id: string): Promise<Doc> {
  const doc = connection.get('notes', id) as Doc;
  await call((callback) => {
    doc.subscribe(callback);
  });
  return doc;
}

test('two clients edit a document', async () => {
  const { url, expectQuiet } = await serve();
  const one = connect(url('/sharedb'));
  const two = connect(url('/sharedb'));
  const mine = await subscribe(one.connection, 'edited');
  await call((callback) => {
    mine.create({ count: 1 }, callback);
  });
  const yours = await subscribe(two.connection, 'edited');
  expect(yours.data).toEqual({ count: 1 });
  await call((callback) => {
    yours.submitOp([{ p: ['count'], na: 2 }], {}, callback);
  });
  await expect.poll(() => mine.data as unknown).toEqual({ count: 3 });
  one.connection.close();
  two.connection.close();
  await expectQuiet();
});

test('middleware of the library gets the request of Express', async () => {
  const { url, backend } = await serve();
  const paths = new Inbox<string>();
  backend.use('connect', ({ req }: { req: { originalUrl: string } }, next: () => void) => {
    paths.push(req.originalUrl);
    next();
  });
  connect(url('/sharedb?token=1'));
  expect(await paths.next('connection')).toBe('/sharedb?token=1');
});

test.each(['closes', 'is lost'])('the library notices that a client %s', async (end) => {
  const { url, backend, expectQuiet } = await serve();
  await expect.poll(() => backend.agentsCount).toBe(0);
  const { ws, connection } = connect(url('/sharedb'));
  await subscribe(connection, 'left');
  expect(backend.agentsCount).toBe(1);
  if (end === 'closes') ws.close();
  else ws.terminate();
  await expect.poll(() => backend.agentsCount).toBe(0);
  await expectQuiet();
});

test('a message that is not JSON closes the websocket with 1011', async () => {
  const logged = vi.spyOn(console, 'error').mockImplementation(() => {});
  onTestFinished(() => {
    logged.mockRestore();
  });
  const { url, expectQuiet } = await serve();
  const { ws, connection, closes } = connect(url('/sharedb'));
  await subscribe(connection, 'broken');
  ws.send('{');
  expect(await closes.next('close')).toBe(1011);
  await expect.poll(() => logged.mock.calls).toEqual([[expect.any(SyntaxError)]]);
  await expectQuiet();
});

test('clients get 1001 when the server shuts down', async () => {
  const { url, backend, shutDown, expectQuiet } = await serve();
  const { connection, closes } = connect(url('/sharedb'));
  await subscribe(connection, 'open');
  await shutDown();
  expect(await closes.next('close')).toBe(1001);
  await expect.poll(() => backend.agentsCount).toBe(0);
  await expectQuiet();
});
