import { matchMaker } from '@colyseus/core';
import type { Client as ColyseusClient } from '@colyseus/sdk';
import { afterAll, expect, onTestFinished, test, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { Inbox } from '../test/support/inbox.js';
import { serveBlock } from './support/serve-library.js';

// Without a global WebSocket, the client takes that of ws, which can lose its connection.
vi.stubGlobal('WebSocket', undefined);
const { Client } = (await import('@colyseus/sdk')) as unknown as { Client: typeof ColyseusClient };

afterAll(async () => {
  // Ends the timer that stores statistics.
  await matchMaker.gracefullyShutdown();
});

async function join(url: string) {
  const room = await new Client(url).joinOrCreate('chat');
  room.reconnection.enabled = false;
  const closes = new Inbox<number>();
  const said = new Inbox<unknown>();
  room.onLeave((code) => closes.push(code));
  room.onMessage('said', (text: unknown) => said.push(text));
  const { ws } = room.connection.transport as unknown as { ws: WebSocket };
  onTestFinished(() => {
    ws.terminate();
  });
  return { room, ws, said, closes };
}

/** The clients of a room, as the server has them. */
function clientsOf(roomId: string): number | undefined {
  return matchMaker.getLocalRoomById(roomId)?.clients.length;
}

test('clients in a room get what one of them says', async () => {
  const site = await serveBlock('colyseus');
  const one = await join(site.url('/colyseus'));
  const two = await join(site.url('/colyseus'));
  expect(two.room.roomId).toBe(one.room.roomId);
  one.room.send('say', 'hello');
  expect(await one.said.next('message')).toBe('hello');
  expect(await two.said.next('message')).toBe('hello');
  await one.room.leave();
  await two.room.leave();
  await expect.poll(() => matchMaker.getLocalRoomById(one.room.roomId)).toBeUndefined();
  await site.expectQuiet();
});

test.each(['closes', 'is lost'])('the library notices that a client %s', async (end) => {
  const site = await serveBlock('colyseus');
  const { room, ws } = await join(site.url('/colyseus'));
  const other = await join(site.url('/colyseus'));
  expect(clientsOf(room.roomId)).toBe(2);
  if (end === 'closes') ws.close();
  else ws.terminate();
  await expect.poll(() => clientsOf(room.roomId)).toBe(1);
  await other.room.leave();
  await site.expectQuiet();
});

test('a client without a seat gets the error of the library', async () => {
  const site = await serveBlock('colyseus');
  const { room } = await join(site.url('/colyseus'));
  const { WebSocket: Socket } = await import('ws');
  const ws = new Socket(site.url(`/colyseus/any/${room.roomId}?sessionId=forged`));
  const closes = new Inbox<number>();
  ws.on('close', (code) => closes.push(code));
  expect(await closes.next('close')).toBe(4002);
  await room.leave();
  await site.expectQuiet();
});

test('clients get 1001 when the server shuts down', async () => {
  const site = await serveBlock('colyseus');
  const { room, closes } = await join(site.url('/colyseus'));
  await site.shutDown();
  expect(await closes.next('close')).toBe(1001);
  await expect.poll(() => clientsOf(room.roomId)).toBeUndefined();
  await site.expectQuiet();
});
