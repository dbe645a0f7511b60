import express from 'express';
import { afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { requireWebsocket, type Websocket } from 'dwebsocket';
import { createGroups, MemoryHub, redisBackplane, type Groups } from 'dwebsocket/groups';
import { connect } from '../support/client.js';
import { Inbox } from '../support/inbox.js';
import { openPair } from '../support/pair.js';
import { schemaOf, slowTextSchema } from '../support/schemas.js';
import { serve } from '../support/serve.js';
import { clientKinds } from './support/clients.js';
import { FakeMember } from './support/members.js';
import { hasAnyRedis, TestedRedis } from './support/running-redis.js';

interface Said {
  from: string;
  text: string;
}

/** Fits what has a sender. */
const said = schemaOf<Said, Said>((value) => {
  const { from } = value as Said;
  return typeof from === 'string'
    ? { value: { from: 'not', text: 'this' } }
    : { issues: [{ message: 'expected a string', path: ['from'] }] };
});

afterEach(() => {
  vi.unstubAllEnvs();
});

test('a value goes to all members as JSON, whatever their own messages are', async () => {
  const group = createGroups({ messages: 'json' }).group('all');
  const values = await openPair({ messages: 'json' });
  const text = await openPair({ messages: 'text' });
  const compressed = await openPair({ messages: 'json', perMessageDeflate: true });
  const other = new FakeMember();
  for (const { websocket } of [values, compressed]) await group.add(websocket);
  await group.add(text.websocket);
  await group.add(other);
  expect(group.size).toBe(4);
  const sent = [{ from: 'Ada' }, 'text', null, 0, [1]];
  for (const value of sent) expect(await group.send(value)).toMatchObject({ local: 4 });
  const texts = sent.map((value) => JSON.stringify(value));
  for (const { client } of [values, text, compressed]) expect(await client.take(5)).toEqual(texts);
  expect(other.got).toEqual(texts);
});

test('a value is encoded once for all members', async () => {
  const group = createGroups({ messages: 'json' }).group('all');
  const pairs = [
    await openPair({ messages: 'json' }),
    await openPair(),
    await openPair({ messages: 'json' }),
  ];
  for (const { websocket } of pairs) await group.add(websocket);
  let encoded = 0;
  group.send({ toJSON: () => ++encoded });
  for (const { client } of pairs) expect(await client.next()).toBe('1');
  expect(encoded).toBe(1);
});

test('bytes stay a binary message, and { binary } sends JSON as one', async () => {
  const group = createGroups({ messages: 'json' }).group('all');
  const { websocket, client } = await openPair({ messages: 'json' });
  await group.add(websocket);
  group.send(Buffer.from('{}'));
  group.send({ a: 1 }, { binary: true });
  group.send(Buffer.from('{}'), { binary: false });
  expect(await client.take(3)).toEqual([Buffer.from('{}'), Buffer.from('{"a":1}'), '{}']);
});

test('members are excepted as ever', async () => {
  const group = createGroups({ messages: 'json' }).group('all');
  const [ann, ben] = [await openPair({ messages: 'json' }), await openPair({ messages: 'json' })];
  await Promise.all([group.add(ann.websocket), group.add(ben.websocket)]);
  expect(group.has(ann.websocket)).toBe(true);
  group.send(1, { except: ann.websocket });
  group.send(2, { except: [ben.websocket] });
  expect([await ann.client.next(), await ben.client.next()]).toEqual(['2', '1']);
  expect(group.delete(ann.websocket)).toBe(true);
});

test('groups without the option send text as it is, to members with values, too', async () => {
  const group = createGroups().group('all');
  const { websocket, client } = await openPair({ messages: 'json' });
  await group.add(websocket);
  group.send('{"a":1}');
  expect(await client.next()).toBe('{"a":1}');
  expect(() => group.send({ a: 1 } as never)).toThrow(TypeError);
});

test('a value that JSON cannot represent throws, and reaches nobody', () => {
  const group = createGroups({ messages: 'json' }).group('all');
  const member = new FakeMember();
  void group.add(member);
  for (const value of [undefined, 1n, () => undefined]) {
    expect(() => group.send(value)).toThrow(
      expect.objectContaining({ code: 'ERR_WEBSOCKET_ARGUMENT' }) as Error,
    );
  }
  expect(member.got).toEqual([]);
});

describe('the option sends', () => {
  test('checks a value, and sends it as it is; messages may be left out', () => {
    for (const groups of [createGroups({ sends: said }), createGroups({ messages: 'json', sends: said })]) {
      const group = groups.group('all');
      const member = new FakeMember();
      void group.add(member);
      group.send({ from: 'Ada', text: 'hello' });
      expect(() => group.send({ text: 'hello' } as never)).toThrow(
        expect.objectContaining({
          code: 'ERR_WEBSOCKET_ARGUMENT',
          message: 'send() was given a value that does not fit the option "sends" at from: expected a string',
          issues: [{ message: 'expected a string', path: ['from'] }],
        }) as Error,
      );
      expect(member.got).toEqual(['{"from":"Ada","text":"hello"}']);
    }
  });

  test('does not check in production', () => {
    vi.stubEnv('NODE_ENV', 'production');
    const group = createGroups({ sends: said }).group('all');
    const member = new FakeMember();
    void group.add(member);
    group.send({} as never);
    expect(member.got).toEqual(['{}']);
  });

  test('must answer at once', () => {
    const group = createGroups({ sends: slowTextSchema }).group('all');
    expect(() => group.send('a')).toThrow(
      expect.objectContaining({ code: 'ERR_WEBSOCKET_ASYNC_SCHEMA' }) as Error,
    );
  });
});

test.for([
  [
    { messages: 'text' },
    'option "messages" must be \'json\'; to check what groups send, give the schema as sends',
  ],
  [
    { messages: said },
    'option "messages" must be \'json\'; to check what groups send, give the schema as sends',
  ],
  [{ sends: {} }, 'option "sends" must be a schema'],
  [{ sends: 'json' }, 'option "sends" must be a schema'],
  [{ invalid: () => undefined }, 'unknown option "invalid"; known options: backplane, messages, sends'],
] as const)('the option %o throws at once', ([options, message]) => {
  expect(() => createGroups(options as never)).toThrow(
    expect.objectContaining({
      code: 'ERR_WEBSOCKET_OPTION',
      message: expect.stringContaining(message) as string,
    }) as Error,
  );
});

/** A chat whose route and groups have values, in two processes. */
async function chatOver(open: () => Promise<Groups<unknown>>): Promise<void> {
  const joined = new Inbox<Websocket<unknown, unknown>>();
  const serveChat = async () => {
    const groups = await open();
    onTestFinished(() => groups.close());
    const app = express();
    app.get(
      '/chat/:room',
      requireWebsocket(
        async (req) => {
          const room = groups.group(req.params['room'] ?? '');
          expect(await room.add(req.websocket)).toBe(true);
          joined.push(req.websocket);
          for await (const value of req.websocket) room.send({ said: value });
        },
        { messages: 'json' },
      ),
    );
    return serve(app);
  };
  const [here, there] = [await serveChat(), await serveChat()];
  const [ann, ben] = [await connect(here, '/chat/a'), await connect(there, '/chat/a')];
  await joined.next();
  await joined.next();
  ann.send('"héllo"', '{"a":[null]}');
  // A string: text arrives as text.
  const expected = ['{"said":"héllo"}', '{"said":{"a":[null]}}'];
  expect(await ann.take(2)).toEqual(expected);
  expect(await ben.take(2)).toEqual(expected);
}

test('values reach other processes as text', async () => {
  const hub = new MemoryHub();
  await chatOver(async () => createGroups({ backplane: hub.connect(), messages: 'json' }));
});

describe.runIf(hasAnyRedis)('over Redis', () => {
  const redis = new TestedRedis();

  beforeAll(async () => {
    await redis.start();
    return () => redis.stop();
  });

  test('values reach other processes as text', async () => {
    await chatOver(async () => {
      const { client, end } = await clientKinds[0]!.connect(redis.url);
      onTestFinished(end);
      return createGroups({ backplane: redisBackplane(client, { prefix: redis.prefix }), messages: 'json' });
    });
  });
});
