import { randomBytes } from 'node:crypto';
import { Repo, type PeerId } from '@automerge/automerge-repo';
import { WebSocketClientAdapter } from '@automerge/automerge-repo-network-websocket';
import express, { type ErrorRequestHandler } from 'express';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import type { WebSocket, WebSocketServer } from 'ws';
import { Inbox } from '../test/support/inbox.js';
import { runBlock } from './support/page.js';
import { serveApp, serveBlock } from './support/serve-library.js';

interface Note {
  text: string;
}

interface Photo {
  bytes: Uint8Array;
}

async function serve() {
  const site = await serveBlock('automerge');
  const { sockets, repo } = site.exports as unknown as { sockets: WebSocketServer; repo: Repo };
  return { ...site, sockets, repo };
}

afterAll(async () => {
  // As the page says: this ends the timer of the adapter.
  const { sockets } = await runBlock('automerge');
  (sockets as WebSocketServer).close();
});

async function connect(url: string) {
  const adapter = new WebSocketClientAdapter(url);
  const repo = new Repo({ network: [adapter], peerId: `client-${crypto.randomUUID()}` as PeerId });
  await expect.poll(() => adapter.socket).toBeDefined();
  const socket = adapter.socket as unknown as WebSocket;
  // It would connect again.
  socket.removeEventListener('close', adapter.onClose);
  const closes = new Inbox<number>();
  socket.on('close', (code) => closes.push(code));
  onTestFinished(async () => {
    // The adapter throws when it is disconnected twice.
    if (adapter.socket !== undefined) await repo.shutdown();
    socket.terminate();
  });
  return { repo, socket, closes };
}

test('two clients edit a document through the server', async () => {
  const { url, expectQuiet } = await serve();
  const one = await connect(url('/automerge'));
  const two = await connect(url('/automerge'));
  const mine = one.repo.create<Note>({ text: 'hello' });
  const yours = await two.repo.find<Note>(mine.url);
  expect(yours.doc()).toEqual({ text: 'hello' });
  yours.change((note) => {
    note.text = 'hello world';
  });
  await expect.poll(() => mine.doc()).toEqual({ text: 'hello world' });
  await one.repo.shutdown();
  await two.repo.shutdown();
  await expectQuiet();
});

test('a document of a megabyte gets through', async () => {
  const { url } = await serve();
  const one = await connect(url('/automerge'));
  const two = await connect(url('/automerge'));
  const bytes = randomBytes(900_000);
  const mine = one.repo.create<Photo>({ bytes: new Uint8Array(bytes) });
  const yours = await two.repo.find<Photo>(mine.url);
  expect(bytes.equals(yours.doc().bytes)).toBe(true);
});

test.each(['closes', 'is lost'])('the library notices that a client %s', async (end) => {
  const { url, repo, sockets, expectQuiet } = await serve();
  await expect.poll(() => repo.peers).toEqual([]);
  const client = await connect(url('/automerge'));
  await expect.poll(() => repo.peers).toEqual([client.repo.peerId]);
  expect(sockets.clients.size).toBe(1);
  if (end === 'closes') await client.repo.shutdown();
  else client.socket.terminate();
  await expect.poll(() => repo.peers).toEqual([]);
  expect(sockets.clients.size).toBe(0);
  await expectQuiet();
});

test('a message that makes the library throw closes the websocket, and the process goes on', async () => {
  const { exports, sockets } = await serve();
  const errors = new Inbox<unknown>();
  const reportError: ErrorRequestHandler = (error, _req, res, _next) => {
    errors.push(error);
    res.end();
  };
  const { url } = await serveApp(express().use(exports.app, reportError));
  const { socket, closes } = await connect(url('/automerge'));
  await expect.poll(() => sockets.clients.size).toBe(1);
  // CBOR for null, of which the library reads a property.
  socket.send(Buffer.from([0xf6]));
  expect(await closes.next('close')).toBe(1011);
  expect(await errors.next('error')).toBeInstanceOf(TypeError);
});

test('clients get 1001 when the server shuts down', async () => {
  const { url, repo, shutDown, expectQuiet } = await serve();
  const client = await connect(url('/automerge'));
  await expect.poll(() => repo.peers).toEqual([client.repo.peerId]);
  await shutDown();
  expect(await client.closes.next('close')).toBe(1001);
  await expect.poll(() => repo.peers).toEqual([]);
  await expectQuiet();
});
