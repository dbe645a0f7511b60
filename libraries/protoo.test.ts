import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { Peer, WebSocketTransport } from 'protoo-client';
import type { Room } from 'protoo-server';
import { expect, onTestFinished, test } from 'vitest';
import { openLossyLine } from './support/lossy-line.js';
import { serveBlock, type LibrarySite } from './support/serve-library.js';

async function serveProtoo(): Promise<LibrarySite & { room: Room }> {
  const site = await serveBlock('protoo');
  return { ...site, room: site.exports.room as Room };
}

async function connect(url: string): Promise<Peer> {
  const peer = new Peer(new WebSocketTransport(url, { retry: { retries: 0 } }));
  onTestFinished(() => {
    peer.close();
  });
  await once(peer, 'open');
  return peer;
}

test('peers send requests to each other, and the room forgets a peer that closes', async () => {
  const { url, room, expectQuiet } = await serveProtoo();
  const peer = await connect(url('/protoo?peer=anna'));
  peer.on('request', ({ data }: { data: number }, accept: (answer: unknown) => void) => {
    accept(data * 2);
  });
  expect(await peer.request('echo', { text: 'hello' })).toEqual({ echo: { text: 'hello' } });
  expect(await room.getPeer('anna')?.request('double', 21)).toBe(42);
  peer.close();
  await expectQuiet();
  expect(room.peers).toEqual([]);
});

test('the room forgets a peer whose connection is lost', async () => {
  const { port, room, expectQuiet } = await serveProtoo();
  const line = await openLossyLine(port);
  const peer = await connect(line.url('/protoo?peer=ben'));
  expect(room.hasPeer('ben')).toBe(true);
  const disconnected = once(peer, 'disconnected');
  line.lose();
  await disconnected;
  peer.close();
  await expect.poll(() => room.hasPeer('ben')).toBe(false);
  await expectQuiet();
});

test('a client without the subprotocol gets the 403 of the library', async () => {
  const { port, expectQuiet } = await serveProtoo();
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };
  const request = get({ port, path: '/protoo?peer=eve', headers });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  expect(response.statusCode).toBe(403);
  request.destroy();
  await expectQuiet();
});

test('room.close() ends the clients for good', async () => {
  const { url, room, expectQuiet } = await serveProtoo();
  const peer = await connect(url('/protoo?peer=anna'));
  const closed = once(peer, 'close');
  room.close();
  await closed;
  await expectQuiet();
});
