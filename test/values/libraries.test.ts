import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { z as z3 } from 'zod3';
import { WebsocketArgumentError, type StandardSchema } from 'dwebsocket';
import { openPair } from '../support/pair.js';

interface Order {
  text: string;
  count: number;
  at: Date;
  tags: string[];
}

type In = StandardSchema<unknown, Order>;
type Out = StandardSchema<{ from: string }>;

/** The same messages for each library: a default, a transform, a list, and a limit. */
const LIBRARIES: readonly (readonly [
  name: string,
  schemas: { order: In; slow: In; said: Out; throwing: StandardSchema },
])[] = [
  [
    'zod 4',
    {
      order: z.object({
        text: z.string().max(10),
        count: z.number().default(1),
        at: z.iso.datetime().transform((text) => new Date(text)),
        tags: z.array(z.string()),
      }),
      slow: z.object({
        text: z.string().refine(async (text) => text.length <= 10),
        count: z.number().default(1),
        at: z.iso.datetime().transform((text) => new Date(text)),
        tags: z.array(z.string()),
      }),
      said: z.object({ from: z.string() }),
      throwing: z.any().transform(() => {
        throw new Error('a bug');
      }),
    },
  ],
  [
    'zod 3',
    {
      order: z3.object({
        text: z3.string().max(10),
        count: z3.number().default(1),
        at: z3
          .string()
          .datetime()
          .transform((text) => new Date(text)),
        tags: z3.array(z3.string()),
      }),
      slow: z3.object({
        text: z3.string().refine(async (text) => Promise.resolve(text.length <= 10)),
        count: z3.number().default(1),
        at: z3
          .string()
          .datetime()
          .transform((text) => new Date(text)),
        tags: z3.array(z3.string()),
      }),
      said: z3.object({ from: z3.string() }),
      throwing: z3.any().transform(() => {
        throw new Error('a bug');
      }),
    },
  ],
  [
    'valibot',
    {
      order: v.object({
        text: v.pipe(v.string(), v.maxLength(10)),
        count: v.optional(v.number(), 1),
        at: v.pipe(
          v.string(),
          v.transform((text) => new Date(text)),
        ),
        tags: v.array(v.string()),
      }),
      slow: v.objectAsync({
        text: v.pipeAsync(
          v.string(),
          v.checkAsync(async (text) => text.length <= 10),
        ),
        count: v.optional(v.number(), 1),
        at: v.pipe(
          v.string(),
          v.transform((text) => new Date(text)),
        ),
        tags: v.array(v.string()),
      }),
      said: v.object({ from: v.string() }),
      throwing: v.pipe(
        v.any(),
        v.transform(() => {
          throw new Error('a bug');
        }),
      ),
    },
  ],
  [
    'arktype',
    {
      order: type({
        text: 'string <= 10',
        count: 'number = 1',
        at: 'string.date.iso.parse',
        tags: 'string[]',
      }),
      // arktype has no async checks, so this schema wraps one.
      slow: later(
        type({ text: 'string <= 10', count: 'number = 1', at: 'string.date.iso.parse', tags: 'string[]' }),
      ),
      said: type({ from: 'string' }),
      throwing: type('unknown').pipe(() => {
        throw new Error('a bug');
      }),
    },
  ],
];

/** The same schema, which answers with a promise. */
function later<Input, Output>(schema: StandardSchema<Input, Output>): StandardSchema<Input, Output> {
  const { '~standard': standard } = schema;
  return { '~standard': { ...standard, version: 1, validate: async (value) => standard.validate(value) } };
}

describe.for(LIBRARIES)('with %s', ([, { order, slow, said, throwing }]) => {
  const at = '2026-01-02T03:04:05.000Z';
  const message = JSON.stringify({ text: 'a book', at, tags: ['b'] });
  const value = { text: 'a book', count: 1, at: new Date(at), tags: ['b'] };

  test.for(['order', 'slow'] as const)(
    'a message that fits has defaults and transforms: %s',
    async (name) => {
      const { websocket, client } = await openPair({ messages: { order, slow }[name] });
      client.send(message, message);
      expect(await websocket.wait()).toEqual(value);
      expect(await websocket.wait()).toEqual(value);
    },
  );

  test.for([
    [{ text: 1, at, tags: [] }, 'text'],
    [{ text: 'a book that is too long', at, tags: [] }, 'text'],
    [{ text: 'a book', at, tags: ['a', 2] }, 'tags.1'],
    [{ text: 'a book', tags: [] }, 'at'],
  ] as const)('a message that does not fit closes with 1007 and the place: %j', async ([wrong, place]) => {
    for (const messages of [order, slow]) {
      const { websocket, client } = await openPair({ messages });
      client.send(message, JSON.stringify(wrong), message);
      const all: unknown[] = [];
      for await (const each of websocket) all.push(each);
      expect(all).toEqual([value]);
      const { code, reason } = await client.closed();
      expect(code).toBe(1007);
      expect(reason).toMatch(new RegExp(`^invalid message at ${place}: ..`));
      expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
    }
  });

  test.for(['null', '[]', '"text"', '1'])('so does %s', async (text) => {
    const { websocket, client } = await openPair({ messages: order });
    client.send(text);
    expect(await websocket.wait()).toBeNull();
    expect((await client.closed()).reason).toMatch(/^invalid message(?: at .*)?: ../);
  });

  test('what is sent is checked, and stays as it is', async () => {
    const { websocket, client } = await openPair({ messages: 'json', sends: said });
    websocket.send({ from: 'Ada' });
    expect(await client.next()).toBe('{"from":"Ada"}');
    let error: unknown;
    try {
      websocket.send({ from: 1 } as never);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(WebsocketArgumentError);
    const { message, issues } = error as WebsocketArgumentError;
    expect(message).toMatch(/does not fit the option "sends" at from: ../);
    expect(issues).toHaveLength(1);
  });

  test('a transform that throws is a failure of the app', async () => {
    const { websocket, client } = await openPair({ messages: throwing });
    client.send('1');
    await expect(websocket.wait()).rejects.toThrow('a bug');
    expect(websocket.isClosed()).toBe(false);
  });
});
