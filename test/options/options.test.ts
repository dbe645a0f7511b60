import { describe, expect, test } from 'vitest';
import {
  acceptWebsocket,
  requireWebsocket,
  websocketMiddleware,
  WebsocketError,
  WebsocketOptionError,
  withDefaults,
  type WebsocketOptions,
} from 'dwebsocket';
import { DEFAULT_HANDSHAKE_TIMEOUT, resolveOptions } from '../../src/options/policy.js';
import { connect } from '../support/client.js';
import { openPair } from '../support/pair.js';
import { serve } from '../support/serve.js';

test('the defaults equal the documented ones', () => {
  expect(resolveOptions(undefined)).toEqual({
    messages: 'both',
    protocols: [],
    origins: [], // the request's own host; the code compares this list by identity
    maxPayload: 1024 * 1024,
    maxQueue: 1024 * 1024,
    messageRate: false,
    highWaterMark: 64 * 1024,
    maxBuffered: 16 * 1024 * 1024,
    heartbeat: 25_000,
    closeTimeout: 5_000,
    perMessageDeflate: false,
  });
  expect(DEFAULT_HANDSHAKE_TIMEOUT).toBe(10_000);
});

test('an undefined option has its default', () => {
  expect(resolveOptions({ maxPayload: undefined, heartbeat: undefined })).toEqual(resolveOptions(undefined));
});

test('later changes of the options object have no effect', async () => {
  const perMessageDeflate = { zlibDeflateOptions: { level: 3 } };
  const options: WebsocketOptions = { messages: 'text', perMessageDeflate };
  expect(resolveOptions(options).perMessageDeflate).not.toBe(perMessageDeflate);
  const site = await serve(requireWebsocket(({ websocket }) => websocket.wait(), options));
  options.messages = 'binary';
  const client = await connect(site);
  client.send('a text');
  expect(await client.closed()).toEqual({ code: 1000, reason: '' });
});

const handler = () => {};
const FUNCTIONS_WITH_OPTIONS: readonly (readonly [string, (options: never) => unknown])[] = [
  ['acceptWebsocket', (options) => acceptWebsocket(handler, options)],
  ['requireWebsocket', (options) => requireWebsocket(handler, options)],
  ['websocketMiddleware', (options) => websocketMiddleware(options)],
  ['withDefaults', (options) => withDefaults(options)],
  ["withDefaults' acceptWebsocket", (options) => withDefaults({}).acceptWebsocket(handler, options)],
  ["withDefaults' requireWebsocket", (options) => withDefaults({}).requireWebsocket(handler, options)],
  ["withDefaults' websocketMiddleware", (options) => withDefaults({}).websocketMiddleware(options)],
];

describe('a wrong option throws at once', () => {
  const size = 'a whole number of bytes from 1 to 2 ** 31 - 1';
  const time = 'whole milliseconds from 1 to 2 ** 31 - 1';
  const rate = 'an object such as { count: 20, per: 1_000 }, or false for no limit';
  const schema = 'a schema (of zod 3.24, valibot 1, arktype 2 or later, or another Standard Schema)';
  const messages = `'text', 'binary', 'both', 'json', or ${schema}`;
  const WRONG = [
    ['messages', 'yaml', RangeError, messages, 'the string "yaml"'],
    ['messages', true, TypeError, messages, 'the boolean true'],
    ['messages', null, TypeError, messages, 'null'],
    ['messages', {}, TypeError, messages, 'an object'],
    ['messages', { '~standard': null }, TypeError, messages, 'an object'],
    ['messages', { '~standard': { version: 2, validate: handler } }, TypeError, messages, 'an object'],
    ['messages', { '~standard': { version: 1 } }, TypeError, messages, 'an object'],
    ['messages', String, TypeError, messages, 'the function String'],
    ['sends', 'json', TypeError, schema, 'the string "json"'],
    ['sends', null, TypeError, schema, 'null'],
    ['invalid', 'close', TypeError, 'a function (issues, websocket, text) => …', 'the string "close"'],
    ['protocols', 'chat', TypeError, "a list of subprotocol names, such as ['chat']", 'the string "chat"'],
    ['protocols', [1], TypeError, 'a list of subprotocol names', 'the number 1'],
    ['protocols', ['my chat'], RangeError, 'a name is a token of RFC 9110', 'the string "my chat"'],
    ['protocols', [''], RangeError, 'a name is a token of RFC 9110', 'the string ""'],
    [
      'origins',
      'https://a.test',
      TypeError,
      "'any', a list such as ['https://example.org'",
      'the string "https://a.test"',
    ],
    ['origins', ['https://a.test/'], RangeError, 'and no path', 'the string "https://a.test/"'],
    ['origins', ['a.test'], RangeError, 'an origin: scheme://host', 'the string "a.test"'],
    ['origins', ['*'], RangeError, 'an origin: scheme://host', 'the string "*"'],
    ['origins', [/a/g], TypeError, 'a RegExp without the flags g and y', 'an instance of RegExp'],
    ['origins', [/a/y], TypeError, 'a RegExp without the flags g and y', 'an instance of RegExp'],
    ['origins', [undefined], TypeError, "'any', a list", 'undefined'],
    ['origins', true, TypeError, "'any', a list", 'the boolean true'],
    ['maxPayload', 0, RangeError, size, 'the number 0'],
    ['maxPayload', -1, RangeError, size, 'the number -1'],
    ['maxPayload', 1.5, RangeError, size, 'the number 1.5'],
    ['maxPayload', 2 ** 31, RangeError, size, 'the number 2147483648'],
    ['maxPayload', 2 ** 32, RangeError, size, 'the number 4294967296'],
    ['maxPayload', Infinity, RangeError, size, 'the number Infinity'],
    ['maxPayload', NaN, RangeError, size, 'the number NaN'],
    ['maxPayload', '1mb', TypeError, size, 'the string "1mb"'],
    ['maxQueue', 0, RangeError, size, 'the number 0'],
    ['maxQueue', false, TypeError, size, 'the boolean false'],
    ['messageRate', 20, TypeError, rate, 'the number 20'],
    ['messageRate', true, TypeError, rate, 'the boolean true'],
    ['messageRate', null, TypeError, rate, 'null'],
    ['highWaterMark', 0, RangeError, size, 'the number 0'],
    ['highWaterMark', {}, TypeError, size, 'an object'],
    ['maxBuffered', 2 ** 31, RangeError, size, 'the number 2147483648'],
    ['maxBuffered', 16n, TypeError, size, 'the bigint 16'],
    ['heartbeat', 0, RangeError, `${time}, or false for none`, 'the number 0'],
    ['heartbeat', true, TypeError, `${time}, or false for none`, 'the boolean true'],
    ['heartbeat', null, TypeError, `${time}, or false for none`, 'null'],
    ['closeTimeout', 0, RangeError, time, 'the number 0'],
    ['closeTimeout', false, TypeError, time, 'the boolean false'],
    ['closeTimeout', 2 ** 31, RangeError, time, 'the number 2147483648'],
    [
      'perMessageDeflate',
      'yes',
      TypeError,
      "true, false, or an object with ws's settings",
      'the string "yes"',
    ],
    [
      'perMessageDeflate',
      [],
      TypeError,
      "true, false, or an object with ws's settings",
      'an instance of Array',
    ],
    ['perMessageDeflate', null, TypeError, "true, false, or an object with ws's settings", 'null'],
  ] as const;

  test.for(WRONG)('%s: %s', ([option, value, Kind, rule, described]) => {
    const give = () => acceptWebsocket(handler, { [option]: value });
    expect(give).toThrow(Kind);
    expect(give).toThrow(`option "${option}" must be `);
    expect(give).toThrow(rule);
    expect(give).toThrow(`; got ${described}`);
  });

  test.for(FUNCTIONS_WITH_OPTIONS)('in %s', ([, call]) => {
    expect(() => call({ heartbeat: 0 } as never)).toThrow(/option "heartbeat"/);
    expect(() => call({ maxPayLoad: 1 } as never)).toThrow(/unknown option "maxPayLoad"/);
    for (const options of ['text', null, 5, []]) {
      expect(() => call(options as never)).toThrow(TypeError);
    }
  });

  const bits = 'true, false, or a whole number from 8 to 15';
  test.for([
    ['serverNoContextTakeover', 'yes', TypeError, 'true or false', 'the string "yes"'],
    ['clientNoContextTakeover', 1, TypeError, 'true or false', 'the number 1'],
    ['serverMaxWindowBits', 99, RangeError, bits, 'the number 99'],
    ['serverMaxWindowBits', -5, RangeError, bits, 'the number -5'],
    ['clientMaxWindowBits', 7, RangeError, bits, 'the number 7'],
    ['clientMaxWindowBits', '10', TypeError, bits, 'the string "10"'],
    ['threshold', 'x', TypeError, 'a whole number of bytes from 0', 'the string "x"'],
    ['threshold', -1, RangeError, 'a whole number of bytes from 0', 'the number -1'],
    ['concurrencyLimit', 'many', TypeError, 'a whole number from 1', 'the string "many"'],
    ['concurrencyLimit', 0, RangeError, 'a whole number from 1', 'the number 0'],
    ['zlibDeflateOptions', 3, TypeError, 'an object', 'the number 3'],
    ['zlibInflateOptions', null, TypeError, 'an object', 'null'],
  ] as const)('of perMessageDeflate, %s: %s', ([setting, value, Kind, rule, described]) => {
    const give = () => acceptWebsocket(handler, { perMessageDeflate: { [setting]: value } });
    expect(give).toThrow(Kind);
    expect(give).toThrow(`option "perMessageDeflate.${setting}" must be `);
    expect(give).toThrow(rule);
    expect(give).toThrow(`; got ${described}`);
  });

  test.for([
    ['zlibDeflateOptions', 'level', 42, RangeError, 'a value that zlib accepts'],
    ['zlibDeflateOptions', 'level', '3', TypeError, 'a whole number'],
    ['zlibDeflateOptions', 'level', 3.5, RangeError, 'a whole number'],
    ['zlibDeflateOptions', 'memLevel', 77, RangeError, 'a value that zlib accepts'],
    ['zlibDeflateOptions', 'strategy', 5, RangeError, 'a value that zlib accepts'],
    ['zlibDeflateOptions', 'chunkSize', 63, RangeError, 'a value that zlib accepts'],
    ['zlibInflateOptions', 'chunkSize', 1, RangeError, 'a value that zlib accepts'],
    ['zlibInflateOptions', 'chunkSize', NaN, RangeError, 'a whole number'],
  ] as const)('of %s, %s: %s', ([group, setting, value, Kind, rule]) => {
    const give = () => acceptWebsocket(handler, { perMessageDeflate: { [group]: { [setting]: value } } });
    expect(give).toThrow(Kind);
    expect(give).toThrow(`option "perMessageDeflate.${group}.${setting}" must be `);
    expect(give).toThrow(rule);
  });

  test.for([
    [{}, TypeError, 'option "messageRate.count" must be a whole number from 1 to 2 ** 31 - 1; got undefined'],
    [{ count: 0, per: 1 }, RangeError, 'option "messageRate.count" must be a whole number from 1'],
    [{ count: 1.5, per: 1 }, RangeError, 'option "messageRate.count" must be a whole number from 1'],
    [{ count: 1 }, TypeError, `option "messageRate.per" must be ${time}; got undefined`],
    [{ count: 1, per: '1s' }, TypeError, `option "messageRate.per" must be ${time}; got the string "1s"`],
    [{ count: 1, per: 2 ** 31 }, RangeError, `option "messageRate.per" must be ${time}`],
    [{ count: 1, seconds: 1 }, TypeError, 'unknown option "messageRate.seconds"; known options: count, per'],
  ] as const)('of messageRate: %j', ([messageRate, Kind, message]) => {
    const give = () => acceptWebsocket(handler, { messageRate } as never);
    expect(give).toThrow(Kind);
    expect(give).toThrow(message);
  });

  test('and the WebsocketOptionError has the facts as fields', () => {
    let error: unknown;
    try {
      acceptWebsocket(handler, { closeTimeout: -5 });
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(WebsocketOptionError);
    expect(error).toBeInstanceOf(WebsocketError);
    expect(error).toMatchObject({
      code: 'ERR_WEBSOCKET_OPTION',
      option: 'closeTimeout',
      rule: time,
      value: -5,
    });
  });
});

describe('an unknown option', () => {
  const zlib = 'perMessageDeflate.zlibDeflateOptions';
  const NAMES =
    'messages, sends, invalid, protocols, origins, maxPayload, maxQueue, messageRate, highWaterMark, maxBuffered, heartbeat, ' +
    'closeTimeout, perMessageDeflate';

  test.for([
    [{ maxPaylod: 1 }, 'unknown option "maxPaylod"; did you mean "maxPayload"?'],
    [{ maxPyaload: 1 }, 'unknown option "maxPyaload"; did you mean "maxPayload"?'],
    [{ maxpayload: 1 }, 'unknown option "maxpayload"; did you mean "maxPayload"?'],
    [{ MAX_QUEUE: 1 }, 'unknown option "MAX_QUEUE"; did you mean "maxQueue"?'],
    [{ origin: 'any' }, 'unknown option "origin"; did you mean "origins"?'],
    [{ hartbeat: 1 }, 'unknown option "hartbeat"; did you mean "heartbeat"?'],
    [
      { perMessageDeflate: { treshold: 1 } },
      'unknown option "perMessageDeflate.treshold"; did you mean "perMessageDeflate.threshold"?',
    ],
    [
      { perMessageDeflate: { zlibDeflateOptions: { leval: 1 } } },
      `unknown option "${zlib}.leval"; did you mean "${zlib}.level"?`,
    ],
  ] as const)('%j gets the nearest name', ([options, message]) => {
    expect(() => acceptWebsocket(handler, options as never)).toThrow(message);
  });

  test.for([
    [{ compression: true }, `unknown option "compression"; known options: ${NAMES}`],
    [{ x: 1 }, `unknown option "x"; known options: ${NAMES}`],
    [{ '': 1 }, `unknown option ""; known options: ${NAMES}`],
    [{ maxBytes: 1 }, `unknown option "maxBytes"; known options: ${NAMES}`],
    [
      { perMessageDeflate: { zlibDeflateOptions: { windowBits: 10 } } },
      `unknown option "${zlib}.windowBits"; known options: chunkSize, level, memLevel, strategy`,
    ],
    [
      { perMessageDeflate: { zlibInflateOptions: { dictionary: Buffer.from('a') } } },
      'unknown option "perMessageDeflate.zlibInflateOptions.dictionary"; known options: chunkSize',
    ],
  ] as const)('%j gets the known names when none is near', ([options, message]) => {
    expect(() => acceptWebsocket(handler, options as never)).toThrow(message);
  });

  test.for([
    [{ handshakeTimeout: 10 }, 'attachWebsocket(server, { handshakeTimeout })'],
    [{ acceptAll: true }, 'websocketMiddleware({ acceptAll })'],
  ] as const)('%j gets the function to which it belongs', ([options, place]) => {
    const [name] = Object.keys(options);
    expect(() => acceptWebsocket(handler, options as never)).toThrow(
      `unknown option "${String(name)}"; give it to ${place}`,
    );
  });

  test('throws a TypeError that is a WebsocketOptionError with the facts as fields', () => {
    let error: unknown;
    try {
      acceptWebsocket(handler, { perMessageDeflate: { treshold: 7 } } as never);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toBeInstanceOf(WebsocketOptionError);
    expect(error).toMatchObject({
      code: 'ERR_WEBSOCKET_OPTION',
      option: 'perMessageDeflate.treshold',
      rule: expect.stringMatching(/^one of serverNoContextTakeover, .*, threshold, concurrencyLimit$/),
      value: 7,
    });
  });
});

test.for([
  ['maxPayload', 1],
  ['maxPayload', 2 ** 31 - 1],
  ['maxQueue', 1],
  ['messageRate', false],
  ['messageRate', { count: 1, per: 1 }],
  ['messageRate', { count: 2 ** 31 - 1, per: 2 ** 31 - 1 }],
  ['heartbeat', false],
  ['heartbeat', 2 ** 31 - 1],
  ['closeTimeout', 1],
  ['protocols', []],
  ['protocols', ['a', 'B-1.0!']],
  ['origins', []],
  ['origins', ['null', 'http://localhost:8000', 'capacitor://localhost', /^https:/i]],
  ['perMessageDeflate', { threshold: 0 }],
  ['perMessageDeflate', { threshold: undefined, serverMaxWindowBits: false, concurrencyLimit: 1 }],
] as const)('%s may be %j', ([option, value]) => {
  expect(resolveOptions({ [option]: value })).toMatchObject({ [option]: value });
});

test.for([
  ['acceptWebsocket', (value: never) => acceptWebsocket(value)],
  ['requireWebsocket', (value: never) => requireWebsocket(value)],
] as const)('%s throws when the handler is not a function', ([name, wrap]) => {
  for (const value of [undefined, null, 'handler', {}]) {
    expect(() => wrap(value as never)).toThrow(TypeError);
    expect(() => wrap(value as never)).toThrow(
      `${name} takes the route's handler, a function (req, res) => …; got`,
    );
  }
});

describe('messages', () => {
  const text = 'a text';
  const bytes = Buffer.from('some bytes');

  test.for([
    ['text', text, bytes],
    ['binary', bytes, text],
  ] as const)(
    "'%s' accepts its own kind and closes with 1003 for the other",
    async ([messages, good, bad]) => {
      const { websocket, client } = await openPair({ messages });
      client.send(good);
      expect(await websocket.wait()).toEqual(good);
      client.send(good, bad);
      expect(await client.closed()).toEqual({
        code: 1003,
        reason: `this route accepts only ${messages} messages`,
      });
      // The earlier message is not lost.
      expect([await websocket.wait(), await websocket.wait()]).toEqual([good, null]);
    },
  );

  test("'both' accepts both kinds, and is the default", async () => {
    for (const options of [{}, { messages: 'both' } as const]) {
      const { websocket, client } = await openPair(options);
      client.send(text, bytes);
      expect([await websocket.wait(), await websocket.wait()]).toEqual([text, bytes]);
    }
  });
});

describe('maxPayload', () => {
  test.for([
    ['the default', undefined, 2 ** 20],
    ['a limit of 1,000 bytes', 1_000, 1_000],
    ['a limit of 2 MiB', 2 ** 21, 2 ** 21],
  ] as const)(
    '%s accepts a message of this size and closes with 1009 for one byte more',
    async ([, maxPayload, size]) => {
      const { websocket, client } = await openPair({ maxPayload });
      client.send(Buffer.alloc(size));
      expect(await websocket.wait()).toHaveLength(size);
      client.send('small', Buffer.alloc(size + 1));
      expect((await client.closed()).code).toBe(1009);
      expect([await websocket.wait(), await websocket.wait()]).toEqual(['small', null]);
    },
  );
});

describe('perMessageDeflate', () => {
  test('is off by default', async () => {
    const { client } = await openPair({}, { perMessageDeflate: true });
    expect(client.ws.extensions).toBe('');
  });

  const smallest = { chunkSize: 64, level: -1, memLevel: 1, strategy: 0 };
  const largest = { chunkSize: 2 ** 20, level: 9, memLevel: 9, strategy: 4 };
  test.for([
    [true],
    [{ threshold: 0, serverNoContextTakeover: true }],
    [{ serverMaxWindowBits: 8, clientMaxWindowBits: 8, zlibDeflateOptions: smallest }],
    [{ zlibDeflateOptions: largest, zlibInflateOptions: { chunkSize: 64 } }],
  ] as const)('%j compresses in both directions if the client supports it', async ([perMessageDeflate]) => {
    const { websocket, client } = await openPair({ perMessageDeflate }, { perMessageDeflate: true });
    expect(client.ws.extensions).toContain('permessage-deflate');
    const long = 'again and '.repeat(10_000);
    client.send(long);
    expect(await websocket.wait()).toBe(long);
    const buffer = Buffer.from(long);
    websocket.send(long);
    websocket.send(buffer);
    buffer.fill(0);
    expect(await client.take(2)).toEqual([long, Buffer.from(long)]);
    await client.close(1000);
  });

  test('does not compress for a client that does not offer it', async () => {
    const { websocket, client } = await openPair({ perMessageDeflate: true }, { perMessageDeflate: false });
    websocket.send('plain');
    expect([client.ws.extensions, await client.next()]).toEqual(['', 'plain']);
  });
});
