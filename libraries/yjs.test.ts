import express from 'express';
import { docs, type WSSharedDoc } from '@y/websocket-server/utils';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import { Inbox } from '../test/support/inbox.js';
import { runBlock } from './support/page.js';
import { serveApp, serveBlock } from './support/serve-library.js';

afterEach(() => {
  // Without persistence, the library keeps its documents, and each has a timer.
  for (const doc of docs.values()) doc.destroy();
  docs.clear();
});

function connect(url: string, name: string) {
  const doc = new Y.Doc();
  const closes = new Inbox<number | undefined>();
  const provider = new WebsocketProvider(url, name, doc, {
    WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
    disableBc: true,
    maxBackoffTime: 10,
  });
  provider.on('connection-close', (event) => {
    closes.push(event?.code);
    // It would connect again.
    provider.shouldConnect = false;
  });
  onTestFinished(() => {
    provider.destroy();
    doc.destroy();
  });
  return { provider, text: doc.getText('text'), closes };
}

/** The document as the server has it. */
function serverDoc(name: string): WSSharedDoc {
  return docs.get(name) as WSSharedDoc;
}

test('two clients edit a document, and see each other', async () => {
  const site = await serveBlock('yjs');
  const one = connect(site.url('/yjs'), 'notes');
  const two = connect(site.url('/yjs'), 'notes');
  one.text.insert(0, 'hello');
  await expect.poll(() => two.text.toString()).toBe('hello');
  two.text.insert(5, ' world');
  await expect.poll(() => one.text.toString()).toBe('hello world');
  expect(serverDoc('notes').getText('text').toString()).toBe('hello world');
  one.provider.awareness.setLocalState({ name: 'Ada' });
  const { clientID } = one.provider.doc;
  await expect.poll(() => two.provider.awareness.getStates().get(clientID)).toEqual({ name: 'Ada' });
});

test('the server gets a document of a megabyte', async () => {
  const site = await serveBlock('yjs');
  const { text } = connect(site.url('/yjs'), 'novel');
  text.insert(0, 'x'.repeat(900_000));
  await expect.poll(() => serverDoc('novel')?.getText('text').length).toBe(900_000);
});

test.each(['closes', 'is lost'])('the library notices that a client %s', async (end) => {
  const site = await serveBlock('yjs');
  const one = connect(site.url('/yjs'), 'notes');
  const two = connect(site.url('/yjs'), 'notes');
  one.provider.awareness.setLocalState({ name: 'Ada' });
  const { clientID } = one.provider.doc;
  await expect.poll(() => two.provider.awareness.getStates().has(clientID)).toBe(true);
  expect(serverDoc('notes').conns.size).toBe(2);
  if (end === 'closes') one.provider.disconnect();
  else (one.provider.ws as unknown as WebSocket).terminate();
  await expect.poll(() => serverDoc('notes').conns.size).toBe(1);
  // The others see that the client has left.
  await expect.poll(() => two.provider.awareness.getStates().has(clientID)).toBe(false);
  two.provider.disconnect();
  await site.expectQuiet();
});

test('a mounted router does not change the name of the document', async () => {
  const { app } = await runBlock('yjs');
  const site = await serveApp(express().use('/team', app));
  const { provider } = connect(site.url('/team/yjs'), 'notes');
  await expect.poll(() => provider.synced).toBe(true);
  expect([...docs.keys()]).toEqual(['notes']);
});

test('clients get 1001 when the server shuts down', async () => {
  const site = await serveBlock('yjs');
  const { provider, closes } = connect(site.url('/yjs'), 'notes');
  await expect.poll(() => provider.synced).toBe(true);
  await site.shutDown();
  expect(await closes.next('close')).toBe(1001);
  expect(serverDoc('notes').conns.size).toBe(0);
  await site.expectQuiet();
});
