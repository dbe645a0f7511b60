import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import express from 'express';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  requireWebsocket,
  Websocket,
  WebsocketClosedError,
  WebsocketError,
  websocketMiddleware,
  type Diagnostics,
  type InvalidListener,
  type MessageFormat,
  type StandardSchema,
  type WebsocketOptions,
} from 'dwebsocket';
import { connect, type Client } from '../support/client.js';
import { defer, Inbox } from '../support/inbox.js';
import { openPair } from '../support/pair.js';
import { recordErrors } from '../support/record-errors.js';
import { serve } from '../support/serve.js';
import { isText, schemaOf, slowTextSchema, textSchema } from '../support/schemas.js';

const FALSY = [null, false, 0, ''];

afterEach(() => {
  vi.unstubAllEnvs();
});

/** A route in an app of Express that records what reaches its error handlers. */
async function serveRoute<Format extends MessageFormat>(
  handler: (websocket: Websocket<unknown, unknown>) => unknown,
  options: WebsocketOptions<Format>,
): Promise<{ client: Client; errors: Inbox<unknown>; ended: Promise<unknown> }> {
  const errors = new Inbox<unknown>();
  const ended = defer<unknown>();
  const app = express();
  app.get(
    '/',
    requireWebsocket(async (req) => {
      try {
        ended.resolve(await handler(req.websocket));
      } catch (error) {
        ended.resolve(error);
        throw error;
      }
    }, options as WebsocketOptions),
  );
  app.use(recordErrors(errors));
  const client = await connect(await serve(app));
  return { client, errors, ended: ended.promise };
}

async function readAll(websocket: Websocket<unknown, unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const value of websocket) all.push(value);
  return all;
}

describe('reading', () => {
  test('gives parsed values', async () => {
    const { websocket, client } = await openPair({ messages: 'json' });
    client.send('{"text":"hello"}', '[1,"two",null]', '"text"', '1.5');
    expect(await websocket.wait()).toEqual({ text: 'hello' });
    expect(await websocket.wait()).toEqual([1, 'two', null]);
    await client.flush();
    expect(websocket.read()).toBe('text');
    expect(websocket.read()).toBe(1.5);
    expect(websocket.read('nothing')).toBe('nothing');
  });

  test('loses no value that is falsy', async () => {
    const { websocket, client } = await openPair({ messages: 'json' });
    const send = () => client.send(...FALSY.map((value) => JSON.stringify(value)));
    const waits = FALSY.map(() => websocket.wait());
    send();
    expect(await Promise.all(waits)).toEqual(FALSY);
    send();
    await client.flush();
    expect(websocket.countMessages()).toBe(4);
    for (const value of FALSY) expect(await websocket.wait(0)).toBe(value);
    send();
    await client.flush();
    for (const value of FALSY) expect(websocket.read('nothing')).toBe(value);
    expect(websocket.hasMessages()).toBe(false);
    send();
    const iterated = readAll(websocket);
    await client.close();
    expect(await iterated).toEqual(FALSY);
  });

  test('tells a value that is undefined from none', async () => {
    const { websocket, client } = await openPair({ messages: schemaOf(() => ({ value: undefined })) });
    client.send('1', '2', '3', '4');
    await client.flush();
    expect(await websocket.wait(0)).toBeUndefined();
    expect(websocket.read('nothing')).toBeUndefined();
    const iterated = readAll(websocket);
    await client.close();
    expect(await iterated).toEqual([undefined, undefined]);
  });

  test('a JSON null is no end: wait() goes on after it, and reports the end once', async () => {
    const { websocket, client } = await openPair({ messages: 'json' });
    client.send('null', '1');
    await client.close();
    expect([await websocket.wait(), await websocket.wait(), await websocket.wait()]).toEqual([null, 1, null]);
    await expect(websocket.wait()).rejects.toBeInstanceOf(WebsocketClosedError);
  });

  test('gives the output of the schema, with defaults and transforms', async () => {
    const schema = schemaOf((value) => ({ value: { ...(value as object), at: new Date(0) } }));
    const { websocket, client } = await openPair({ messages: schema });
    client.send('{"text":"hello"}');
    expect(await websocket.wait()).toEqual({ text: 'hello', at: new Date(0) });
  });

  test('gives values to concurrent calls in order, and null to all that are pending at the close', async () => {
    const { websocket, client } = await openPair({ messages: 'json' });
    const waits = [websocket.wait(), websocket.wait(60_000), websocket.wait(), websocket.wait()];
    client.send('1', '2');
    await client.close();
    expect(await Promise.all(waits)).toEqual([1, 2, null, null]);
    await expect(websocket.wait()).rejects.toMatchObject({ code: 'ERR_WEBSOCKET_CLOSED' });
    expect(() => websocket.read()).toThrow(WebsocketClosedError);
  });

  test('a wait that timed out leaves the value to the next', async () => {
    const { websocket, client } = await openPair({ messages: 'json' });
    expect(await websocket.wait(5)).toBeNull();
    expect(await websocket.wait(0)).toBeNull();
    client.send('1');
    expect(await websocket.wait()).toBe(1);
  });

  test('checks its arguments as ever', async () => {
    const { websocket } = await openPair({ messages: 'json' });
    expect(() => websocket.wait(-1)).toThrow(RangeError);
  });

  test('after break, the websocket stays open and can be iterated again', async () => {
    const { websocket, client } = await openPair({ messages: 'json' });
    client.send('1', '2', '3');
    for await (const value of websocket) {
      expect(value).toBe(1);
      break;
    }
    for await (const value of websocket) {
      expect(value).toBe(2);
      break;
    }
    expect(await websocket.wait()).toBe(3);
    expect(websocket.isClosed()).toBe(false);
  });

  test('a closed websocket delivers what came before, then the end, once', async () => {
    const { websocket, client } = await openPair({ messages: 'json' });
    client.send('1', '2');
    await client.close();
    await websocket.closed;
    expect([websocket.countMessages(), websocket.read(), await websocket.wait()]).toEqual([2, 1, 2]);
    expect(websocket.read('the end')).toBe('the end');
    expect(() => websocket.read()).toThrow(WebsocketClosedError);
    expect(await readAll(websocket)).toEqual([]);
  });

  test('ignoreMessages() drops values', async () => {
    const { websocket, client } = await openPair({ messages: 'json' });
    client.send('1', 'no JSON');
    await client.flush();
    websocket.ignoreMessages();
    client.send('2', 'no JSON');
    await client.flush();
    expect([websocket.hasMessages(), websocket.isClosed()]).toEqual([false, false]);
  });

  test('the bytes of unread texts pause the socket at maxQueue', async () => {
    const { websocket, client } = await openPair({ messages: 'json', maxQueue: 1_000 });
    const sent = Array.from({ length: 1_000 }, (_, i) => ({ i }));
    client.send(...sent.map((value) => JSON.stringify(value)));
    await vi.waitFor(() => {
      expect(websocket.countMessages()).toBeGreaterThan(1);
    });
    expect(websocket.countMessages()).toBeLessThan(10);
    const iterated = readAll(websocket);
    await client.close();
    expect(await iterated).toEqual(sent);
  });

  test('is an instance of Websocket', async () => {
    const { websocket } = await openPair({ messages: 'json' });
    expect(websocket).toBeInstanceOf(Websocket);
  });
});

describe('with a schema that answers with a promise', () => {
  /** Fits any value as soon as the test says so. */
  function openGate() {
    const gates: (() => void)[] = [];
    const schema = schemaOf(async (value) => {
      await new Promise<void>((resolve) => gates.push(resolve));
      return { value };
    });
    return { schema, gates };
  }

  test('the order is kept', async () => {
    const { websocket, client } = await openPair({ messages: slowTextSchema });
    const waits = [websocket.wait(), websocket.wait()];
    client.send('"1"', '"2"', '"3"', '"4"');
    expect(await Promise.all(waits)).toEqual(['1', '2']);
    const iterated = readAll(websocket);
    await client.close();
    expect(await iterated).toEqual(['3', '4']);
  });

  test('a wait that times out while the schema works leaves the value to the next', async () => {
    const { schema, gates } = openGate();
    const { websocket, client } = await openPair({ messages: schema });
    client.send('null', '2');
    await client.flush();
    expect(await websocket.wait(5)).toBeNull();
    expect(gates).toHaveLength(1);
    expect(websocket.countMessages()).toBe(2);
    const next = readAll(websocket);
    gates[0]?.();
    await vi.waitFor(() => {
      expect(gates).toHaveLength(2);
    });
    gates[1]?.();
    await client.close();
    expect(await next).toEqual([null, 2]);
  });

  test('read() throws, and leaves the message to wait() and to iterations', async () => {
    const { schema, gates } = openGate();
    const { websocket, client } = await openPair({ messages: schema });
    expect(websocket.read('nothing')).toBe('nothing');
    client.send('1');
    await client.flush();
    for (let i = 0; i < 2; i++) {
      expect(() => websocket.read()).toThrow(WebsocketError);
      expect(() => websocket.read()).toThrow(
        expect.objectContaining({
          code: 'ERR_WEBSOCKET_ASYNC_SCHEMA',
          message: expect.stringContaining('use "await websocket.wait()" or "for await"') as string,
        }) as Error,
      );
    }
    expect(websocket.countMessages()).toBe(1);
    gates[0]?.();
    expect(await websocket.wait()).toBe(1);
    expect(gates).toHaveLength(1);
  });

  test('messages that came before the close are still delivered, then the end, once', async () => {
    const { websocket, client } = await openPair({ messages: slowTextSchema });
    const waits = [websocket.wait(), websocket.wait(), websocket.wait(), websocket.wait()];
    client.send('"1"', '"2"');
    await client.close();
    expect(await Promise.all(waits)).toEqual(['1', '2', null, null]);
    await expect(websocket.wait()).rejects.toBeInstanceOf(WebsocketClosedError);
  });

  test('unread messages are checked after the close, too', async () => {
    const { websocket, client } = await openPair({ messages: slowTextSchema });
    client.send('"1"', '"2"');
    await client.close();
    await websocket.closed;
    expect(await websocket.wait()).toBe('1');
    expect(await readAll(websocket)).toEqual(['2']);
    expect(await websocket.wait()).toBeNull();
    await expect(websocket.wait()).rejects.toBeInstanceOf(WebsocketClosedError);
  });

  test('a schema that is slow pauses the socket in the end', async () => {
    const { schema, gates } = openGate();
    const { websocket, client } = await openPair({ messages: schema, maxQueue: 1_000 });
    const sent = Array.from({ length: 1_000 }, (_, i) => i);
    const iterated = readAll(websocket);
    client.send(...sent.map(String));
    await vi.waitFor(() => {
      expect(websocket.countMessages()).toBeGreaterThan(1);
    });
    expect([websocket.countMessages() < 10, gates.length]).toEqual([true, 1]);
    const closed = client.close();
    for (let i = 0; i < sent.length; i++) {
      await vi.waitFor(
        () => {
          expect(gates).toHaveLength(i + 1);
        },
        { interval: 0 },
      );
      gates[i]?.();
    }
    await closed;
    expect(await iterated).toEqual(sent);
  });
});

describe('a message that does not fit', () => {
  test.for([
    ['for await', readAll],
    [
      'while (wait)',
      async (websocket: Websocket<unknown, unknown>) => {
        const all: unknown[] = [];
        for (let value = await websocket.wait(); value !== null; value = await websocket.wait())
          all.push(value);
        await expect(websocket.wait()).rejects.toBeInstanceOf(WebsocketClosedError);
        return all;
      },
    ],
    [
      'wait with a timeout',
      async (websocket: Websocket<unknown, unknown>) => {
        const all: unknown[] = [];
        while (!websocket.isClosed()) all.push(await websocket.wait(60_000));
        return all.filter((value) => value !== null);
      },
    ],
    [
      'read',
      async (websocket: Websocket<unknown, unknown>) => {
        const all: unknown[] = [];
        while (await websocket.sleep(1)) {
          for (let value = websocket.read(); value !== null; value = websocket.read()) all.push(value);
        }
        return all;
      },
    ],
  ] as const)('closes with 1007, and the loop ends in order: %s', async ([, read]) => {
    const { client, errors, ended } = await serveRoute(read, { messages: textSchema });
    client.send('"a"', '"b"', '{"not":"a text"}', '"dropped"');
    expect(await client.closed()).toEqual({ code: 1007, reason: 'invalid message: expected a text' });
    expect(await ended).toEqual(['a', 'b']);
    expect(errors.rest()).toEqual([]);
  });

  test('drops later messages, also those that the socket delivers as soon as the queue has space', async () => {
    for (const messages of [textSchema, slowTextSchema]) {
      const { client, ended } = await serveRoute(readAll, { messages, maxQueue: 300 });
      client.send('"a"', '1', ...Array<string>(1_000).fill('"dropped"'));
      expect(await client.closed()).toMatchObject({ code: 1007 });
      expect(await ended).toEqual(['a']);
    }
    const { websocket, client } = await openPair({ messages: textSchema, maxQueue: 300 });
    client.send('"a"', '1', ...Array<string>(1_000).fill('"dropped"'));
    await vi.waitFor(() => {
      expect(websocket.countMessages()).toBeGreaterThan(1);
    });
    expect(await readAll(websocket)).toEqual(['a']);
  });

  test('is found by a schema that answers with a promise, too', async () => {
    const { client, errors, ended } = await serveRoute(readAll, { messages: slowTextSchema });
    client.send('"a"', '1', '"dropped"');
    expect(await client.closed()).toEqual({ code: 1007, reason: 'invalid message: expected a text' });
    expect(await ended).toEqual(['a']);
    expect(errors.rest()).toEqual([]);
  });

  test('is one that is no JSON', async () => {
    const { client, ended } = await serveRoute(readAll, { messages: 'json' });
    client.send('hello');
    const { code, reason } = await client.closed();
    expect(code).toBe(1007);
    expect(reason).toMatch(/^invalid message: .*JSON/);
    expect(await ended).toEqual([]);
  });

  test('ends all calls that wait, each with null', async () => {
    const { websocket, client } = await openPair({ messages: textSchema });
    const waits = [websocket.wait(), websocket.wait(), websocket.wait()];
    client.send('"a"', '1', '"dropped"');
    expect(await Promise.all(waits)).toEqual(['a', null, null]);
    expect(await websocket.closed).toMatchObject({ code: 1007, wasClean: true });
    await expect(websocket.wait()).rejects.toMatchObject({ closeCode: 1007 });
  });

  test('answers to the messages before it go out first', async () => {
    const { client } = await serveRoute(
      async (websocket) => {
        for await (const value of websocket) websocket.send(value);
      },
      { messages: 'json' },
    );
    client.send('1', '2', 'no JSON', '3');
    expect(await client.take(2)).toEqual(['1', '2']);
    expect((await client.closed()).code).toBe(1007);
    expect(client.unread()).toEqual([]);
  });

  test('does not matter while nobody reads it', async () => {
    const { websocket, client } = await openPair({ messages: 'json' });
    client.send('no JSON');
    await client.flush();
    expect([websocket.isClosed(), websocket.countMessages()]).toEqual([false, 1]);
    expect(await websocket.wait(0)).toBeNull();
    expect(await client.closed()).toMatchObject({ code: 1007 });
  });

  test('ends the reading of a websocket that has closed already, and does not change its code', async () => {
    const { websocket, client } = await openPair({ messages: textSchema });
    client.send('"a"', '1', '"dropped"');
    await client.close(4000, 'bye');
    expect(await readAll(websocket)).toEqual(['a']);
    expect(await websocket.closed).toMatchObject({ code: 4000, reason: 'bye' });
    expect([websocket.countMessages(), await websocket.wait()]).toEqual([0, null]);
  });

  test('closes with no details in production', async () => {
    vi.stubEnv('NODE_ENV', 'production');
    const { client } = await serveRoute(readAll, { messages: textSchema });
    client.send('1');
    expect(await client.closed()).toEqual({ code: 1007, reason: 'invalid message' });
  });

  test.for([textSchema, 'json'] as const)(
    'closes with 1003 if it is binary, as with text',
    async (messages) => {
      const { client, errors, ended } = await serveRoute(readAll, { messages });
      client.send('"a"', Buffer.from('"b"'));
      expect(await client.closed()).toEqual({ code: 1003, reason: 'this route accepts only text messages' });
      expect(await ended).toEqual(['a']);
      expect(errors.rest()).toEqual([]);
    },
  );

  test('is published on the channel dwebsocket.invalid, on the server only', async () => {
    const seen: Diagnostics['dwebsocket.invalid'][] = [];
    const listener = (message: unknown) => {
      seen.push(message as Diagnostics['dwebsocket.invalid']);
    };
    subscribe('dwebsocket.invalid', listener);
    onTestFinished(() => {
      unsubscribe('dwebsocket.invalid', listener);
    });
    const { websocket, client } = await openPair({ messages: textSchema });
    client.send('1');
    expect(await websocket.wait()).toBeNull();
    expect(seen).toEqual([{ websocket, issues: [{ message: 'expected a text' }], text: '1' }]);
  });
});

describe('the option invalid', () => {
  test('gets the issues, the websocket and the text, and the message is skipped', async () => {
    const calls: unknown[][] = [];
    const { websocket, client } = await openPair({
      messages: textSchema,
      invalid: (...args) => calls.push(args),
    });
    client.send('1', '"a"', 'no JSON');
    expect(await websocket.wait()).toBe('a');
    expect(await websocket.wait(5)).toBeNull();
    expect(calls).toEqual([
      [[{ message: 'expected a text' }], websocket, '1'],
      [[{ message: expect.stringContaining('JSON') as string }], websocket, 'no JSON'],
    ]);
    expect(websocket.isClosed()).toBe(false);
  });

  test('may answer, with a schema that answers with a promise, too', async () => {
    const { client, ended } = await serveRoute(readAll, {
      messages: slowTextSchema,
      invalid: (issues, websocket) => websocket.send({ error: issues[0]?.message }),
    });
    client.send('1', '"a"', '2');
    expect(await client.take(2)).toEqual(Array(2).fill('{"error":"expected a text"}'));
    await client.close();
    expect(await ended).toEqual(['a']);
  });

  test('may close: then the messages that came before the close are delivered, as ever', async () => {
    const { websocket, client } = await openPair({
      messages: textSchema,
      invalid: (_issues, refused) => refused.close(4400, 'try again'),
    });
    client.send('"a"', '1', '"b"');
    await client.flush();
    expect(await readAll(websocket)).toEqual(['a', 'b']);
    expect(await client.closed()).toEqual({ code: 4400, reason: 'try again' });
  });

  const error = new Error('broken');
  test.for<[string, InvalidListener<unknown>]>([
    [
      'throws',
      () => {
        throw error;
      },
    ],
    ['rejects', () => Promise.reject(error)],
  ])(
    'if it %s, the handler fails with the error: 1011, and the error handlers get it',
    async ([, invalid]) => {
      const { client, errors, ended } = await serveRoute(readAll, { messages: textSchema, invalid });
      client.send('"a"', '1');
      expect(await client.closed()).toEqual({ code: 1011, reason: '' });
      expect(await ended).toBe(error);
      expect(await errors.next()).toBe(error);
    },
  );

  test('a rejection goes to the next reader if nobody reads at the moment', async () => {
    const { websocket, client } = await openPair({
      messages: textSchema,
      invalid: () => Promise.reject(error),
    });
    client.send('1', '"a"', '"b"');
    await client.flush();
    expect(websocket.read()).toBe('a');
    await new Promise((resolve) => setImmediate(resolve));
    expect(() => websocket.read()).toThrow(error);
    expect(await websocket.wait()).toBe('b');
  });

  test('does not hear of binary messages', async () => {
    const invalid = vi.fn();
    const { client } = await serveRoute(readAll, { messages: 'json', invalid });
    client.send(Buffer.from('{}'));
    expect((await client.closed()).code).toBe(1003);
    expect(invalid).not.toHaveBeenCalled();
  });

  test('runs in the context of the request, as the handler does', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const app = express();
    app.get(
      '/',
      (_req, _res, next) => {
        storage.run('the request', next);
      },
      requireWebsocket(
        async (req) => {
          for await (const value of req.websocket) req.websocket.send(value);
        },
        { messages: 'json', invalid: () => seen.push(storage.getStore()) },
      ),
    );
    const client = await connect(await serve(app));
    // The first comes while the handler waits, the others while it works.
    client.send('no JSON', '1');
    await client.next();
    client.send('2', 'no JSON', '3');
    await client.take(2);
    expect(seen).toEqual(['the request', 'the request']);
  });
});

describe('a schema that fails', () => {
  const error = new RangeError('broken');
  const failing = (answer: () => never): StandardSchema =>
    schemaOf((value) => (value === 'fail' ? answer() : { value }));
  const FAILURES = [
    [
      'throws',
      failing(() => {
        throw error;
      }),
    ],
    ['rejects', failing(() => Promise.reject(error) as never)],
  ] as const;

  test.for(FAILURES)(
    'and %s fails the handler: 1011, and the error handlers get the error',
    async ([, messages]) => {
      for (const read of [readAll, (websocket: Websocket<unknown, unknown>) => websocket.wait()]) {
        const { client, errors, ended } = await serveRoute(read, { messages });
        client.send('"fail"');
        expect(await client.closed()).toEqual({ code: 1011, reason: '' });
        expect(await ended).toBe(error);
        expect(await errors.next()).toBe(error);
      }
    },
  );

  test.for(FAILURES)('and %s leaves the next message to a handler that goes on', async ([, messages]) => {
    const { websocket, client } = await openPair({ messages });
    const pending = websocket.wait();
    client.send('"fail"', '1', '"fail"', '2', '"fail"', '3');
    await expect(pending).rejects.toBe(error);
    expect(await websocket.wait()).toBe(1);
    await expect(readAll(websocket)).rejects.toBe(error);
    expect(await websocket.wait(60_000)).toBe(2);
    await expect(websocket.wait(60_000)).rejects.toBe(error);
    expect(await websocket.wait()).toBe(3);
    await client.close();
    expect(await websocket.wait()).toBeNull();
    await expect(websocket.wait()).rejects.toBeInstanceOf(WebsocketClosedError);
  });

  test('makes read() throw its error', async () => {
    const { websocket, client } = await openPair({ messages: FAILURES[0][1] });
    client.send('"fail"', '1');
    await client.flush();
    expect(() => websocket.read()).toThrow(error);
    expect(websocket.read()).toBe(1);
  });

  test('rejects a wait(0), too', async () => {
    const { websocket, client } = await openPair({ messages: FAILURES[0][1] });
    client.send('"fail"');
    await client.flush();
    await expect(websocket.wait(0)).rejects.toBe(error);
  });
});

describe('send', () => {
  test('encodes any value as JSON, a string too, and leaves bytes', async () => {
    const { websocket, client } = await openPair({ messages: 'json' });
    for (const value of [...FALSY, 'text', 'é😀', { a: [1] }, []]) websocket.send(value);
    websocket.send(Buffer.from([1, 2]));
    websocket.send(new Uint16Array([1]));
    expect(await client.take(10)).toEqual([
      ...['null', 'false', '0', '""', '"text"', '"é😀"', '{"a":[1]}', '[]'],
      Buffer.from([1, 2]),
      Buffer.from(new Uint16Array([1]).buffer),
    ]);
  });

  test('sends the kind that { binary } says', async () => {
    const { websocket, client } = await openPair({ messages: 'json' });
    websocket.send({ a: 1 }, { binary: true });
    websocket.send(Buffer.from('{}'), { binary: false });
    expect(await client.take(2)).toEqual([Buffer.from('{"a":1}'), '{}']);
  });

  test('encodes once with compression, too', async () => {
    const { websocket, client } = await openPair({ messages: 'json', perMessageDeflate: true });
    websocket.send('text');
    websocket.send({ a: 'b'.repeat(2_000) });
    expect(await client.take(2)).toEqual(['"text"', JSON.stringify({ a: 'b'.repeat(2_000) })]);
    client.send('"a"');
    expect(await websocket.wait()).toBe('a');
  });

  test('throws for a value that JSON cannot represent, on a closed websocket, too', async () => {
    const { websocket, client } = await openPair({ messages: 'json' });
    expect(() => websocket.send(undefined)).toThrow(TypeError);
    expect(() => websocket.send(1n)).toThrow(TypeError);
    await client.close();
    expect(() => websocket.send(undefined)).toThrow(TypeError);
    expect(await websocket.send({ a: 1 })).toBe(false);
  });

  test('throws for a value that does not fit sends, and goes on', async () => {
    const { websocket, client } = await openPair({
      messages: 'json',
      sends: schemaOf<string, string>(isText),
    });
    expect(() => websocket.send(1 as never)).toThrow(
      expect.objectContaining({
        code: 'ERR_WEBSOCKET_ARGUMENT',
        issues: [{ message: 'expected a text' }],
      }) as Error,
    );
    websocket.send('a');
    expect(await client.next()).toBe('"a"');
  });

  test('counts the bytes of the JSON text for diagnostics', async () => {
    const seen: unknown[] = [];
    const listener = (message: unknown) => {
      seen.push((message as Diagnostics['dwebsocket.send']).bytes);
    };
    subscribe('dwebsocket.send', listener);
    onTestFinished(() => {
      unsubscribe('dwebsocket.send', listener);
    });
    const { websocket, client } = await openPair({ messages: 'json' });
    websocket.send({ é: 1 });
    await client.next();
    expect(seen).toEqual([8]);
  });
});

test('a websocket that has ended before its route reads it takes values, too', async () => {
  const app = express();
  app.set('env', 'test');
  app.use(websocketMiddleware({ acceptAll: true, messages: 'json', origins: () => false }));
  const got = defer<unknown[]>();
  app.get('/', async (req, res) => {
    const { websocket } = req as unknown as { websocket: Websocket<unknown, unknown> };
    got.resolve([await websocket.send({ a: 1 }), await websocket.wait(), websocket.isClosed()]);
    res.end();
  });
  await expect(connect(await serve(app))).rejects.toThrow('403');
  expect(await got.promise).toEqual([false, null, true]);
});
