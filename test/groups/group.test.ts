import { createHash } from 'node:crypto';
import { requireWebsocket, type Websocket } from 'dwebsocket';
import { createGroups, type Member } from 'dwebsocket/groups';
import express from 'express';
import { describe, expect, test } from 'vitest';
import { connect, type Client } from '../support/client.js';
import { defer, Inbox } from '../support/inbox.js';
import { openPair } from '../support/pair.js';
import { serve } from '../support/serve.js';
import { FakeMember } from './support/members.js';

/** The chat of the documents, with some clients. */
async function openChat() {
  const groups = createGroups();
  const joined = new Inbox<Websocket>();
  const app = express();
  app.get(
    '/chat/:room',
    requireWebsocket(async (req) => {
      const room = groups.group(req.params.room!);
      void room.add(req.websocket);
      joined.push(req.websocket);
      for await (const message of req.websocket) room.send(message, { except: req.websocket });
    }),
  );
  app.post('/orders/:id/paid', (req, res) => {
    groups.group(req.params.id).send('paid');
    res.end();
  });
  const site = await serve(app);
  const join = async (room: string): Promise<Client> => {
    const client = await connect(site, `/chat/${room}`);
    await joined.next();
    return client;
  };
  return { groups, site, join };
}

/** Identifies a message by type and content, because comparing large messages takes long. */
function checksum(message: string | Buffer): string {
  return `${typeof message} ${message.length} ${createHash('sha1').update(message).digest('hex')}`;
}

describe('a room', () => {
  test('delivers a message to all other members of the room, and to no other room', async () => {
    const { join } = await openChat();
    const [ann, ben, cem, dan] = [await join('a'), await join('a'), await join('a'), await join('b')];
    ann.send('hello');
    expect(await ben.next()).toBe('hello');
    expect(await cem.next()).toBe('hello');
    await Promise.all([ann.flush(), dan.flush()]);
    expect([ann.unread(), dan.unread()]).toEqual([[], []]);
  });

  test('receives messages from an ordinary route', async () => {
    const { site, join } = await openChat();
    const page = await join('17');
    const response = await fetch(`http://127.0.0.1:${site.port}/orders/17/paid`, { method: 'POST' });
    expect(response.status).toBe(200);
    expect(await page.next()).toBe('paid');
  });

  test('loses members that close or disconnect', async () => {
    const { groups, join } = await openChat();
    const room = groups.group('a');
    const [ann, ben] = [await join('a'), await join('a')];
    const [atAnn, atBen] = [...room] as Websocket[];
    await ann.close();
    await atAnn!.closed;
    expect([...room]).toEqual([atBen]);
    await ben.vanish();
    await atBen!.closed;
    expect(room.size).toBe(0);
  });

  test('delivers the messages of a sender in order', async () => {
    const { join } = await openChat();
    const [ann, ben] = [await join('a'), await join('a')];
    const messages = Array.from({ length: 500 }, (_, index) => String(index));
    ann.send(...messages);
    expect(await ben.take(500)).toEqual(messages);
  });
});

describe('send', () => {
  test('text and bytes arrive unchanged', async () => {
    const { websocket, client } = await openPair();
    const group = createGroups().group('a');
    void group.add(websocket);
    group.send('text: 你好');
    group.send(Buffer.from([0, 255]));
    group.send(new Uint16Array([1, 2]));
    group.send(new Uint8Array([9]).buffer);
    group.send(Buffer.from('bytes as text'), { binary: false });
    group.send('text as bytes', { binary: true });
    group.send('');
    expect(await client.take(7)).toEqual([
      'text: 你好',
      Buffer.from([0, 255]),
      Buffer.from([1, 0, 2, 0]),
      Buffer.from([9]),
      'bytes as text',
      Buffer.from('text as bytes'),
      '',
    ]);
  });

  test('text and bytes of every length arrive, with and without compression', async () => {
    const plain = await openPair();
    const deflated = await openPair({ perMessageDeflate: true }, { perMessageDeflate: true });
    const group = createGroups().group('a');
    void group.add(plain.websocket);
    void group.add(deflated.websocket);
    const messages = [0, 1, 125, 126, 127, 65_535, 65_536, 300_000].flatMap((length) => [
      'x'.repeat(length),
      Buffer.alloc(length, 'y'),
    ]);
    for (const message of messages) group.send(message);
    const sums = messages.map(checksum);
    expect((await plain.client.take(messages.length)).map(checksum)).toEqual(sums);
    expect((await deflated.client.take(messages.length)).map(checksum)).toEqual(sums);
  });

  test('a buffer may be reused after the call', async () => {
    const { websocket, client } = await openPair();
    const fake = new FakeMember();
    const group = createGroups().group('a');
    void group.add(websocket);
    void group.add(fake);
    const buffer = Buffer.from('first');
    group.send(buffer);
    buffer.write('other');
    expect(await client.next()).toEqual(Buffer.from('first'));
    expect(fake.got).toEqual([Buffer.from('first')]);
  });

  test('resolves with the number of receivers, and with null for the missing backplane', async () => {
    const group = createGroups().group('a');
    expect(await group.send('nobody')).toEqual({ local: 0, backplane: null, error: null });
    const [one, two] = [new FakeMember(), new FakeMember()];
    void group.add(one);
    void group.add(two);
    expect(await group.send('both')).toMatchObject({ local: 2 });
    expect(await group.send('two', { except: one })).toMatchObject({ local: 1 });
    expect(await group.send('nobody', { except: [one, two] })).toMatchObject({ local: 0 });
    expect(await group.send('nobody', { except: new Set([one, two]) })).toMatchObject({ local: 0 });
    expect([one.got, two.got]).toEqual([['both'], ['both', 'two']]);
  });

  test('does not count closing members', async () => {
    const { websocket, client } = await openPair();
    const group = createGroups().group('a');
    void group.add(websocket);
    void websocket.close();
    expect(await group.send('too late')).toMatchObject({ local: 0 });
    await client.closed();
  });

  test('a slow member delays no other, and has its own limit maxBuffered', async () => {
    const slow = await openPair({ maxBuffered: 100_000 });
    const fast = await openPair({ maxBuffered: 100_000_000 });
    const group = createGroups().group('a');
    void group.add(slow.websocket);
    void group.add(fast.websocket);
    slow.client.ws.pause();
    const message = 'x'.repeat(50_000);
    for (let sent = 0; group.has(slow.websocket); sent++) {
      expect(sent).toBeLessThan(1_000);
      group.send(message);
      expect(await fast.client.next()).toBe(message);
    }
    expect(await slow.websocket.closed).toMatchObject({ code: 1006 });
    slow.client.ws.resume();
    await slow.client.closed();
  });

  test('a member that throws or rejects does not keep others from receiving the message', async () => {
    const thrower: Member = {
      closed: defer().promise,
      send() {
        throw new Error('broken');
      },
    };
    const rejecter: Member = {
      closed: defer().promise,
      send: async () => Promise.reject(new Error('broken')),
    };
    const sound = new FakeMember();
    const group = createGroups().group('a');
    for (const member of [thrower, rejecter, sound]) void group.add(member);
    expect(await group.send('hello')).toMatchObject({ local: 2 });
    expect(sound.got).toEqual(['hello']);
  });

  test('a value that is not a message throws at once and says what to do, also in an empty group', () => {
    const group = createGroups().group('a');
    for (const value of [42, null, undefined, { a: 1 }, ['a']]) {
      expect(() => group.send(value as never)).toThrow(/JSON\.stringify/);
      expect(() => group.send(value as never)).toThrow(TypeError);
    }
  });
});

describe('add', () => {
  test('adds a member only once, and resolves with true', async () => {
    const { websocket, client } = await openPair();
    const group = createGroups().group('a');
    expect(await group.add(websocket)).toBe(true);
    expect(await group.add(websocket)).toBe(true);
    expect([group.size, group.has(websocket), [...group]]).toEqual([1, true, [websocket]]);
    group.send('once');
    group.send('end');
    expect(await client.take(2)).toEqual(['once', 'end']);
  });

  test('a closed websocket is not added', async () => {
    const { websocket, client } = await openPair();
    await client.close();
    await websocket.closed;
    const group = createGroups().group('a');
    expect(await group.add(websocket)).toBe(false);
    expect(group.size).toBe(0);
  });

  test('a value that is not a member throws, and the error says what to pass', () => {
    const group = createGroups().group('a');
    for (const value of [null, undefined, 'ann', {}, { send() {} }, { send() {}, closed: true }]) {
      expect(() => group.add(value as never)).toThrow(/takes a websocket \(req\.websocket\)/);
    }
  });

  test('a member that joins and leaves often collects no listeners', () => {
    let listeners = 0;
    const { promise } = defer();
    const member: Member = {
      send() {},
      closed: {
        then(...args) {
          listeners++;
          return promise.then(...args);
        },
      },
    };
    const groups = createGroups();
    for (let round = 0; round < 1_000; round++) {
      for (const name of ['a', 'b', 'c']) void groups.group(name).add(member);
      for (const name of ['a', 'b', 'c']) groups.group(name).delete(member);
    }
    expect(listeners).toBe(1);
  });
});

describe('delete', () => {
  test('removes a member and leaves it open', async () => {
    const { websocket, client } = await openPair();
    const group = createGroups().group('a');
    void group.add(websocket);
    expect(group.delete(websocket)).toBe(true);
    expect(group.delete(websocket)).toBe(false);
    group.send('after delete');
    websocket.send('still open');
    expect(await client.next()).toBe('still open');
  });
});

describe('close', () => {
  test('closes all members after earlier messages, and resolves when they have closed', async () => {
    const [one, two] = [await openPair(), await openPair()];
    const group = createGroups().group('a');
    void group.add(one.websocket);
    void group.add(two.websocket);
    group.send('before the close');
    const sent = await group.close(4001, 'over');
    expect(sent).toEqual({ local: 2, backplane: null, error: null });
    expect(group.size).toBe(0);
    expect(await one.websocket.closed).toEqual({ code: 4001, reason: 'over', wasClean: true });
    for (const { client } of [one, two]) {
      expect(await client.next()).toBe('before the close');
      expect(await client.closed()).toEqual({ code: 4001, reason: 'over' });
    }
  });

  test('a member without close() only leaves, and one whose close() throws delays no other', async () => {
    const open: Member = { send() {}, closed: defer().promise };
    const broken: Member = {
      send() {},
      closed: defer().promise,
      close() {
        throw new Error('broken');
      },
    };
    const sound = new FakeMember();
    const group = createGroups().group('a');
    for (const member of [open, broken, sound]) void group.add(member);
    await group.close();
    expect([group.size, sound.closes]).toEqual([0, [[1000, '']]]);
  });

  test('an invalid code or reason throws and closes no member', () => {
    const member = new FakeMember();
    const group = createGroups().group('a');
    void group.add(member);
    expect(() => group.close(1005)).toThrow(RangeError);
    expect(() => group.close(1000, 'é'.repeat(62))).toThrow(RangeError);
    expect([group.size, member.closes]).toEqual([1, []]);
  });
});

test('a member can be in many groups, and leaves all of them when it closes', async () => {
  const { websocket, client } = await openPair();
  const groups = createGroups();
  const names = Array.from({ length: 50 }, (_, index) => String(index));
  for (const name of names) void groups.group(name).add(websocket);
  for (const name of names) groups.group(name).send(name);
  expect(await client.take(50)).toEqual(names);
  await client.close();
  await websocket.closed;
  expect(names.map((name) => groups.group(name).size)).toEqual(names.map(() => 0));
});
