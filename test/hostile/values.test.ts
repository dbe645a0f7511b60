import { type } from 'arktype';
import * as v from 'valibot';
import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { z as z3 } from 'zod3';
import { requireWebsocket, type StandardSchema } from 'dwebsocket';
import { connect, type Client } from '../support/client.js';
import { Inbox } from '../support/inbox.js';
import { openPair } from '../support/pair.js';
import { schemaOf, slowTextSchema } from '../support/schemas.js';
import { serve } from '../support/serve.js';
import { Random } from './fuzz/random.js';

const MIB = 2 ** 20;
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

interface Tree {
  name?: string | undefined;
  more: Tree[];
}
const tree: z.ZodType<Tree> = z.lazy(() => z.object({ name: z.string().optional(), more: z.array(tree) }));
const list: z.ZodType<unknown[]> = z.lazy(() => z.array(list));

/** Schemas that keep what they do not know, and schemas that call themselves. */
const SCHEMAS: readonly (readonly [name: string, schema: StandardSchema | 'json'])[] = [
  ['json', 'json'],
  ['zod, with unknown keys', z.looseObject({ text: z.string().optional() })],
  ['zod, a record', z.record(z.string(), z.unknown())],
  ['zod, a schema that calls itself', tree],
  ['zod 3, with unknown keys', z3.object({ text: z3.string().optional() }).passthrough()],
  ['zod 3, a record', z3.record(z3.unknown())],
  ['valibot, with unknown keys', v.looseObject({ text: v.optional(v.string()) })],
  ['valibot, a record', v.record(v.string(), v.unknown())],
  ['arktype', type({ 'text?': 'string' })],
  ['a schema that answers with a promise', slowTextSchema],
];

afterEach(() => {
  const clean: Record<string, unknown> = {};
  expect([clean['polluted'], Object.keys(Object.prototype), Object.keys(Array.prototype)]).toEqual([
    undefined,
    [],
    [],
  ]);
});

describe.for(SCHEMAS)('%s', ([, messages]) => {
  test.for([
    ['__proto__', '{"__proto__":{"polluted":true}}'],
    ['constructor.prototype', '{"constructor":{"prototype":{"polluted":true}}}'],
    ['__proto__ in depth', '{"text":"a","more":[{"__proto__":{"polluted":true}}]}'],
    ['__proto__ as a text', '"__proto__"'],
    ['a key twice', '{"text":"a","text":"b"}'],
    ['a huge number', '{"n":1e999,"m":-1e999,"tiny":1e-999}'],
    ['a number of a million digits', `{"n":${'9'.repeat(MIB - 100)}}`],
    ['halves of surrogate pairs', '{"text":"\\ud83d","\\udc00":1}'],
    ['a BOM', '\ufeff{"text":"a"}'],
    ['NUL', '{"text":"\\u0000"}'],
    ['1 MiB that is no JSON', 'x'.repeat(MIB)],
    ['1 MiB of [', '['.repeat(MIB)],
    ['1 MiB of {"a":', '{"a":'.repeat(MIB / 5)],
    ['half a million levels', nested(MIB / 2)],
    ['100,000 keys', `{${Array.from({ length: 70_000 }, (_, i) => `"k${i}":1`).join()}}`],
    ['a key of 1 MiB', `{"${'k'.repeat(MIB - 10)}":1}`],
    ['a text of 1 MiB', JSON.stringify({ text: 'é'.repeat(MIB / 3) })],
  ] as const)('survives %s', async ([, text]) => {
    const { websocket, client } = await openPair({ messages });
    client.send(text, '{"text":"a"}');
    const first = await websocket.wait();
    if (websocket.isClosed()) {
      expect(first).toBeNull();
      const { code, reason } = await client.closed();
      expect(code).toBe(1007);
      expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
      return;
    }
    if (typeof first === 'object' && first !== null)
      expect((first as { polluted?: unknown }).polluted).toBeUndefined();
    if (messages === slowTextSchema) expect(first).toBeTypeOf('string');
    else expect(await websocket.wait()).toEqual({ text: 'a' });
  });
});

test('a message that would overflow the stack of a schema or of send() is the fault of the client', async () => {
  for (const messages of ['json', list, schemaOf((value) => ({ value: JSON.stringify(value) }))] as const) {
    const { websocket, client } = await openPair({ messages });
    client.send(nested(MIB / 2));
    expect(await websocket.wait()).toBeNull();
    expect(await client.closed()).toEqual({
      code: 1007,
      reason: 'invalid message: nested more than 500 levels deep',
    });
  }
});

test('a schema with 100,000 issues has one reason', async () => {
  const { websocket, client } = await openPair({ messages: z.array(z.string()) });
  client.send(`[${Array<number>(100_000).fill(1).join()}]`);
  expect(await websocket.wait()).toBeNull();
  expect((await client.closed()).reason).toMatch(/^invalid message at 0: /);
});

test('a flood of messages that do not fit is skipped without a pile of anything', async () => {
  let skipped = 0;
  const { websocket, client } = await openPair({
    messages: 'json',
    maxQueue: 10_000,
    invalid: () => skipped++,
  });
  const last = websocket.wait();
  for (let i = 0; i < 20_000; i++) client.send('x');
  client.send('"the last"');
  expect(await last).toBe('the last');
  expect(skipped).toBe(20_000);
});

const ALPHABET = [
  '[',
  ']',
  '{',
  '}',
  '"',
  ':',
  ',',
  '\\',
  '\\u',
  '\\ud83d',
  'é',
  '😀',
  '\ufeff',
  '\0',
  ' ',
  '\n',
];
const TOKENS = [
  ...ALPHABET,
  '0',
  '-',
  '1e400',
  '.',
  'true',
  'null',
  'NaN',
  '"__proto__"',
  '"text"',
  '"more"',
  '"a"',
  'x',
];

/** JSON of a value by chance. */
function randomValue(random: Random, depth = 0): unknown {
  switch (random.between(0, depth > 4 ? 4 : 7)) {
    case 0:
      return null;
    case 1:
      return random.chance(0.5);
    case 2:
      return random.pick([0, -1, 1.5, 1e300, random.next()]);
    case 3:
      return random.pick(['', 'a', '__proto__', '\ud83d', 'é'.repeat(random.between(0, 100))]);
    case 4:
      return { text: random.pick(['a', 1, null]) };
    case 5:
      return Array.from({ length: random.between(0, 5) }, () => randomValue(random, depth + 1));
    default: {
      const keys = ['text', 'more', 'name', '__proto__', 'constructor', 'then', 'toJSON', '', '\ud83d'];
      const entries = Array.from({ length: random.between(0, 4) }, () => [
        random.pick(keys),
        randomValue(random, depth + 1),
      ]);
      return Object.fromEntries(entries);
    }
  }
}

function randomText(random: Random): string {
  if (random.chance(0.2))
    return Array.from({ length: random.between(0, 30) }, () => random.pick(TOKENS)).join('');
  const text = JSON.stringify(randomValue(random));
  if (random.chance(0.6)) return text;
  const at = random.between(0, text.length);
  switch (random.between(0, 2)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return text.slice(0, at) + random.pick(TOKENS) + text.slice(at);
    default:
      return text.slice(0, at) + text.slice(at + random.between(1, 5));
  }
}

test('random messages close with 1007 or are answered, whatever the schema, and honest clients are served', async () => {
  const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
  const random = new Random(seed);
  const failures = new Inbox<unknown>();
  const counts = { closed: 0, answered: 0 };
  const echo = async (
    websocket: AsyncIterable<unknown> & { send(value: unknown): unknown },
  ): Promise<void> => {
    try {
      for await (const value of websocket) websocket.send(value);
    } catch (error) {
      failures.push(error);
    }
  };
  const attack = async (client: Client): Promise<void> => {
    const texts = Array.from({ length: random.between(1, 20) }, () => randomText(random));
    client.send(...texts);
    client.ws.close(1000);
    const { code, reason } = await client.closed();
    expect([1000, 1007]).toContain(code);
    expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
    if (code === 1007) {
      counts.closed++;
      expect(reason).toMatch(/^invalid message/);
    } else counts.answered++;
  };
  for (const [, messages] of SCHEMAS) {
    const closing = await serve(requireWebsocket((req) => echo(req.websocket), { messages }));
    const answering = await serve(
      requireWebsocket((req) => echo(req.websocket), {
        messages,
        invalid: (issues, websocket) => websocket.send({ issues: issues.length }),
      }),
    );
    for (const site of [closing, answering]) {
      const honest = await connect(site);
      for (let i = 0; i < 25; i++) await attack(await connect(site));
      honest.send(messages === slowTextSchema ? '"text"' : '{"text":"a","more":[]}');
      expect(await honest.next()).toMatch(/text|more/);
      await honest.close();
    }
  }
  expect(failures.rest(), `FUZZ_SEED=${seed}`).toEqual([]);
  expect(Math.min(counts.closed, counts.answered), `FUZZ_SEED=${seed}`).toBeGreaterThan(10);
}, 120_000);
