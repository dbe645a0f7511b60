import { requireWebsocket } from 'dwebsocket';
import { createGroups, type Groups, MemoryHub } from 'dwebsocket/groups';
import express from 'express';
import { beforeEach, expect, test, vi } from 'vitest';
import { GroupMessage } from '../../src/groups/group-message.js';
import { encodeFrame } from '../../src/websocket/frame.js';
import { connect } from '../support/client.js';
import { serve } from '../support/serve.js';

vi.mock('../../src/websocket/frame.js', { spy: true });

beforeEach(() => {
  vi.mocked(encodeFrame).mockClear();
});

async function joinMany(groups: Groups, count: number) {
  const app = express();
  app.get(
    '/',
    requireWebsocket(async (req) => {
      await groups.group('room').add(req.websocket);
      req.websocket.send('in');
      await req.websocket.closed;
    }),
  );
  const site = await serve(app);
  const clients = await Promise.all(Array.from({ length: count }, () => connect(site, '/')));
  for (const client of clients) await client.next();
  return clients;
}

test.each([
  ['a text', 'hello'],
  ['a long text', 'é'.repeat(100_000)],
  ['bytes', Buffer.from([0, 255])],
])('each process encodes %s once for all websockets of a group', async (_name, message) => {
  const hub = new MemoryHub();
  const [here, there] = [
    createGroups({ backplane: hub.connect() }),
    createGroups({ backplane: hub.connect() }),
  ];
  const clients = [...(await joinMany(here, 5)), ...(await joinMany(there, 5))];
  vi.mocked(encodeFrame).mockClear();
  expect(await here.group('room').send(message)).toMatchObject({ local: 5, backplane: true });
  for (const client of clients) expect(await client.next()).toEqual(message);
  expect(encodeFrame).toHaveBeenCalledTimes(2);
});

test('each form of a message is created once', () => {
  for (const groupMessage of [new GroupMessage('hello'), new GroupMessage(Buffer.from('hello'), false)]) {
    expect(groupMessage.frame).toBe(groupMessage.frame);
    expect(groupMessage.value).toBe(groupMessage.value);
    expect(Buffer.from(groupMessage.bytes).toString()).toBe('hello');
  }
  expect(encodeFrame).toHaveBeenCalledTimes(2);
});
