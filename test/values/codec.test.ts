import { afterEach, describe, expect, test, vi } from 'vitest';
import { WebsocketArgumentError, WebsocketError } from 'dwebsocket';
import { Codec } from '../../src/values/codec.js';
import { schemaOf, slowTextSchema, textSchema } from '../support/schemas.js';

afterEach(() => {
  vi.unstubAllEnvs();
});

const json = new Codec('json', undefined);
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
const overflow = (): never => overflow();

describe('decode', () => {
  test.for([
    ['null', null],
    ['false', false],
    ['0', 0],
    ['""', ''],
    [' {"a":[1,{"b":null}]} ', { a: [1, { b: null }] }],
  ] as const)('%s is a value', ([text, value]) => {
    expect(json.decode(text)).toEqual({ value });
  });

  test.for(['', 'hello', '{', 'undefined', 'NaN', '\ufeff{}', "{'a':1}", '[1,]', '{}{}'])(
    '%j is no JSON, which is an issue',
    (text) => {
      const { issues } = json.decode(text) as { issues: readonly { message: string }[] };
      expect(issues).toHaveLength(1);
      expect(issues[0]?.message).toMatch(/JSON/);
    },
  );

  test('returns what the schema returns', async () => {
    const output = schemaOf((value) => ({ value: [value] }));
    expect(new Codec(output, undefined).decode('1')).toEqual({ value: [1] });
    expect(new Codec(textSchema, undefined).decode('1')).toEqual({
      issues: [{ message: 'expected a text' }],
    });
    expect(await new Codec(slowTextSchema, undefined).decode('"a"')).toEqual({ value: 'a' });
  });

  test('calls the schema as a method, for it may need `this`', () => {
    const props = {
      version: 1 as const,
      vendor: 'test',
      prefix: 'a',
      validate(value: unknown) {
        return { value: `${this.prefix}${String(value)}` };
      },
    };
    expect(new Codec({ '~standard': props }, undefined).decode('"b"')).toEqual({ value: 'ab' });
  });

  test('takes any thenable for a promise', async () => {
    const thenable = { then: (resolve: (result: unknown) => void) => resolve({ value: 7 }) };
    const result = new Codec(
      schemaOf(() => thenable as never),
      undefined,
    ).decode('1');
    expect(result).toBeInstanceOf(Promise);
    expect(await result).toEqual({ value: 7 });
  });

  test('throws and rejects with the error of the schema', async () => {
    const error = new RangeError('broken');
    const throwing = schemaOf(() => {
      throw error;
    });
    expect(() => new Codec(throwing, undefined).decode('{}')).toThrow(error);
    const rejecting = schemaOf(() => Promise.reject(error));
    await expect(new Codec(rejecting, undefined).decode('{}')).rejects.toBe(error);
  });

  test('a message that is nested too deeply does not fit, and its schema is not called', () => {
    const issues = [{ message: 'nested more than 500 levels deep' }];
    for (const codec of [new Codec('json', undefined), new Codec(schemaOf(overflow), undefined)]) {
      expect(codec.decode(nested(501))).toEqual({ issues });
      expect(codec.decode(nested(500_000))).toEqual({ issues });
    }
    expect(new Codec('json', undefined).decode(nested(500))).toHaveProperty('value');
  });

  test('a schema that overflows the stack has failed', () => {
    expect(() => new Codec(schemaOf(overflow), undefined).decode(nested(500))).toThrow(RangeError);
  });
});

describe('encode', () => {
  test.for([
    [null, 'null'],
    [false, 'false'],
    [0, '0'],
    ['', '""'],
    ['text', '"text"'],
    [[1, undefined], '[1,null]'],
    [{ a: undefined, b: 1 }, '{"b":1}'],
    [{}, '{}'],
    [new Date(0), '"1970-01-01T00:00:00.000Z"'],
    [new Map(), '{}'],
    [NaN, 'null'],
    ['\ud800', '"\\ud800"'],
  ] as const)('%o is %s', ([value, text]) => {
    expect(json.encode(value)).toBe(text);
  });

  test.for([
    [Buffer.from('a')],
    [new Uint16Array(1)],
    [new DataView(new ArrayBuffer(1))],
    [new ArrayBuffer(1)],
  ])('%o stays as it is', ([bytes]) => {
    expect(json.encode(bytes)).toBe(bytes);
  });

  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  const thrown = new Error('not ready');
  test.for([
    [undefined, TypeError, 'got undefined. To say that there is none, send null'],
    [() => undefined, TypeError, 'got a function'],
    [Symbol('a'), TypeError, 'got Symbol(a)'],
    [{ toJSON: (): unknown => undefined }, TypeError, 'got an object'],
    [
      1n,
      TypeError,
      'serialize a BigInt. Send only the fields that the client needs; turn a BigInt into a string',
    ],
    [{ a: [1n] }, TypeError, 'turn a BigInt into a string or a number'],
    [cycle, TypeError, 'circular structure'],
    [
      {
        toJSON(): never {
          throw new RangeError('Invalid string length');
        },
      },
      RangeError,
      'Invalid string length',
    ],
    [Promise.resolve({ a: 1 }), TypeError, 'send() was given a promise; await it first: send(await value)'],
    [new Blob(['a']), TypeError, 'send(await value.arrayBuffer())'],
    [
      {
        toJSON(): never {
          throw thrown;
        },
      },
      TypeError,
      'not ready',
    ],
    [
      {
        toJSON(): never {
          // eslint-disable-next-line @typescript-eslint/only-throw-error -- some code does
          throw 'a text';
        },
      },
      TypeError,
      'the string "a text"',
    ],
  ] as const)(
    'a value that JSON cannot represent throws, and the message names the cure (%#)',
    ([value, Kind, message]) => {
      let error: unknown;
      try {
        json.encode(value);
      } catch (caught) {
        error = caught;
      }
      expect(error).toBeInstanceOf(Kind);
      expect(error).toBeInstanceOf(WebsocketArgumentError);
      expect(error).toMatchObject({ code: 'ERR_WEBSOCKET_ARGUMENT' });
      expect((error as Error).message).toContain(message);
    },
  );

  test('the error keeps its cause', () => {
    const value = {
      get field(): string {
        throw thrown;
      },
    };
    expect(() => json.encode(value)).toThrow(expect.objectContaining({ cause: thrown }) as Error);
  });
});

describe('the schema of sends', () => {
  const said = schemaOf((value) =>
    (value as { from?: unknown }).from === 'Ada'
      ? { value: 'not this' }
      : { issues: [{ message: 'must be Ada', path: ['from'] }, { message: 'second' }] },
  );

  test('checks a value, and the value itself is encoded, not the output of the schema', () => {
    expect(new Codec('json', said).encode({ from: 'Ada', more: 1 })).toBe('{"from":"Ada","more":1}');
  });

  test('refuses a value that does not fit, with its issues', () => {
    const codec = new Codec('json', said);
    expect(() => codec.encode({ from: 'Bob' })).toThrow(TypeError);
    expect(() => codec.encode({ from: 'Bob' })).toThrow(
      expect.objectContaining({
        code: 'ERR_WEBSOCKET_ARGUMENT',
        message: 'send() was given a value that does not fit the option "sends" at from: must be Ada',
        issues: [{ message: 'must be Ada', path: ['from'] }, { message: 'second' }],
      }) as Error,
    );
  });

  test('does not check bytes', () => {
    const bytes = Buffer.from('a');
    expect(new Codec('json', said).encode(bytes)).toBe(bytes);
  });

  test('does not check in production', () => {
    vi.stubEnv('NODE_ENV', 'production');
    expect(new Codec('json', said).encode({ from: 'Bob' })).toBe('{"from":"Bob"}');
    expect(() => new Codec('json', said).encode(undefined)).toThrow(TypeError);
  });

  test.for([
    ['resolves', () => Promise.resolve({ value: 1 })],
    ['rejects', () => Promise.reject(new Error('nobody hears this'))],
  ] as const)('must answer at once: a promise that %s throws', ([, answer]) => {
    const codec = new Codec('json', schemaOf(answer));
    expect(() => codec.encode(1)).toThrow(WebsocketError);
    expect(() => codec.encode(1)).toThrow(
      expect.objectContaining({
        code: 'ERR_WEBSOCKET_ASYNC_SCHEMA',
        message: expect.stringContaining('give it a schema without async checks') as string,
      }) as Error,
    );
  });

  test('throws what the schema throws', () => {
    const error = new Error('broken');
    const schema = schemaOf(() => {
      throw error;
    });
    expect(() => new Codec('json', schema).encode(1)).toThrow(error);
  });
});
