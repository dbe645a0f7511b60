import { requireWebsocket, type Websocket } from 'dwebsocket';
import { createGroups, MemoryHub } from 'dwebsocket/groups';
import { expect, onTestFinished, test } from 'vitest';
import { type Client, connect } from '../support/client.js';
import { Inbox } from '../support/inbox.js';
import { serve } from '../support/serve.js';

interface Peer {
  readonly client: Client;
  readonly websocket: Websocket;
}

/** Opens websockets, of which both ends are known. */
async function openPeers(
  count: number,
  options: Parameters<typeof requireWebsocket>[1] = {},
): Promise<Peer[]> {
  const opened = new Inbox<Websocket>();
  const site = await serve(
    requireWebsocket(
      async (req) => {
        opened.push(req.websocket);
        await req.websocket.closed;
      },
      { highWaterMark: 10_000, ...options },
    ) as Parameters<typeof serve>[0],
  );
  const peers: Peer[] = [];
  for (let index = 0; index < count; index++) {
    const client = await connect(site, '/', { perMessageDeflate: options.perMessageDeflate !== undefined });
    peers.push({ client, websocket: await opened.next() });
  }
  return peers;
}

/** Sends until the client, which does not read, is behind. Returns the number of messages. */
function fallBehind({ client, websocket }: Peer): number {
  client.ws.pause();
  let count = 0;
  for (; count < 40; count++) void websocket.send(`${count} ${'x'.repeat(200_000)}`);
  return count;
}

const drain = async (client: Client, count: number): Promise<string[]> => {
  client.ws.resume();
  return (await client.take(count)).map((message) => String(message).split(' ')[0]!);
};

test.for([{}, { perMessageDeflate: true }])(
  'a peer that is behind gets only the newest message for each name, and all others in order: %j',
  async (options) => {
    const [peer] = (await openPeers(1, options)) as [Peer];
    const filler = fallBehind(peer);
    const { client, websocket } = peer;
    for (let number = 0; number < 1_000; number++) {
      void websocket.send(`a${number}`, { latest: 'a' });
      void websocket.send(`b${number}`, { latest: 'b' });
    }
    void websocket.send('other');
    const got = await drain(client, filler + 3);
    expect(got.slice(0, filler)).toEqual(Array.from({ length: filler }, (_, index) => String(index)));
    expect(got.slice(filler).sort()).toEqual(['a999', 'b999', 'other']);
    void websocket.send('next', { latest: 'a' });
    expect(await client.next()).toBe('next');
  },
);

test.for([{}, { perMessageDeflate: true }])(
  'in a group with a history, a message that waits goes out before the next other one, so ids only grow: %j',
  async (options) => {
    const [peer] = (await openPeers(1, options)) as [Peer];
    const stamp = (message: unknown, id: string): string => `${String(message)} ${id}`;
    const room = createGroups({ history: { length: 1_000, age: 60_000, stamp } }).group('a');
    await room.add(peer.websocket);
    const filler = fallBehind(peer);
    for (let number = 0; number < 100; number++) {
      void room.send(`a${number}`, { latest: 'a' });
      void room.send(`b${number}`, { latest: 'b' });
    }
    void room.send('other');
    for (let number = 100; number < 200; number++) void room.send(`a${number}`, { latest: 'a' });
    peer.client.ws.resume();
    const got = (await peer.client.take(filler + 4))
      .slice(filler)
      .map((message) => String(message).split(' '));
    expect(got.map(([text]) => text)).toEqual(['a99', 'b99', 'other', 'a199']);
    const kept = (await room.history()).map(({ id }) => id);
    const places = got.map(([, id]) => kept.indexOf(id!));
    expect(places).toEqual([198, 199, 200, 300]);
  },
);

test('a peer that keeps up gets every message, in order', async () => {
  const [{ client, websocket }] = (await openPeers(1)) as [Peer];
  for (let number = 0; number < 100; number++) void websocket.send(String(number), { latest: 'a' });
  expect(await client.take(100)).toEqual(Array.from({ length: 100 }, (_, index) => String(index)));
});

test('what is held goes out before the websocket closes', async () => {
  const [peer] = (await openPeers(1)) as [Peer];
  const filler = fallBehind(peer);
  const { client, websocket } = peer;
  for (const text of ['old', 'new']) void websocket.send(text, { latest: 'a' });
  void websocket.close(4000);
  expect((await drain(client, filler + 1)).at(-1)).toBe('new');
  expect((await client.closed()).code).toBe(4000);
});

test('the promise of send resolves when the peer is no longer behind', async () => {
  const [peer] = (await openPeers(1)) as [Peer];
  const filler = fallBehind(peer);
  const sent = [peer.websocket.send('old', { latest: 'a' }), peer.websocket.send('new', { latest: 'a' })];
  expect((await drain(peer.client, filler + 1)).at(-1)).toBe('new');
  expect(await Promise.all(sent)).toEqual([true, true]);
});

test('what is held counts in maxBuffered', async () => {
  const [peer] = (await openPeers(1, { maxBuffered: 9_000_000 })) as [Peer];
  fallBehind(peer);
  const { websocket } = peer;
  let names = 0;
  while (!websocket.isClosed() && names < 1_000)
    void websocket.send('x'.repeat(10_000), { latest: String(names++) });
  expect((await websocket.closed).code).toBe(1006);
  expect(names).toBeLessThan(1_000);
});

test('in a group, one slow member among many costs the others nothing', async () => {
  const peers = await openPeers(20);
  const [slow, ...others] = peers as [Peer, ...Peer[]];
  const filler = fallBehind(slow);
  const group = createGroups().group('a');
  for (const { websocket } of peers) await group.add(websocket);
  for (let number = 0; number < 50; number++) void group.send(String(number), { latest: 'position' });
  for (const { client } of others)
    expect(await client.take(50)).toEqual(Array.from({ length: 50 }, (_, index) => String(index)));
  expect((await drain(slow.client, filler + 1)).at(-1)).toBe('49');
});

test('the name also reaches members of other processes', async () => {
  const hub = new MemoryHub();
  const [here, there] = [0, 1].map(() => createGroups({ backplane: hub.connect() }));
  onTestFinished(() => Promise.all([here!.close(), there!.close()]).then(() => {}));
  const [peer] = (await openPeers(1)) as [Peer];
  const filler = fallBehind(peer);
  await there!.group('a').add(peer.websocket);
  const named = new Inbox<unknown>();
  await there!.group('a').add({
    closed: new Promise(() => {}),
    send: (message: string | Buffer, options?: object) => named.push([message, options]),
  });
  const bytes = Buffer.from([1, 2]);
  for (const text of ['old', 'new']) await here!.group('a').send(text, { latest: 'position ✓' });
  await here!.group('a').send(bytes, { latest: 'bytes' });
  expect(await named.next()).toEqual(['old', { latest: 'position ✓' }]);
  expect(await named.next()).toEqual(['new', { latest: 'position ✓' }]);
  expect(await named.next()).toEqual([bytes, { latest: 'bytes' }]);
  expect((await drain(peer.client, filler + 2)).slice(filler)[0]).toBe('new');
});

test.for([17, '', 'x'.repeat(1_001), null])('a wrong name throws: %j', async (latest) => {
  const [{ websocket }] = (await openPeers(1)) as [Peer];
  const message = 'the option "latest" must be a string of 1 to 1000 characters; got';
  expect(() => websocket.send('x', { latest: latest as string })).toThrow(message);
  expect(() =>
    createGroups()
      .group('a')
      .send('x', { latest: latest as string }),
  ).toThrow(message);
});
