import express from 'express';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  requireWebsocket,
  WebsocketClosedError,
  type AcceptWebsocketHandler,
  type SchemaResult,
} from 'dwebsocket';
import { closeClients, connect, runHandler, WebsocketExpectationError } from 'dwebsocket/testing';
import { schemaOf, slowTextSchema, textSchema } from '../support/schemas.js';

interface Say {
  text: string;
}
interface Said {
  from: string;
  text: string;
}

const hasText = (value: unknown): SchemaResult<never> =>
  typeof (value as Partial<Say> | null)?.text === 'string'
    ? { value: value as never }
    : { issues: [{ message: 'expected a string', path: ['text'] }] };
const say = schemaOf<Say, Say>(hasText);
const said = schemaOf<Said, Said>(hasText);

afterEach(closeClients);

const app = express();
app.get(
  '/talk',
  requireWebsocket(
    async (req) => {
      for await (const { text } of req.websocket) {
        if (text === 'leave') return;
        req.websocket.send({ from: 'server', text });
      }
    },
    { messages: say, sends: said },
  ),
);
app.get(
  '/wrong',
  requireWebsocket(
    async (req) => {
      for await (const value of req.websocket) req.websocket.send(value);
    },
    { messages: 'json' },
  ),
);
app.get(
  '/text',
  requireWebsocket(async (req) => {
    for await (const text of req.websocket) req.websocket.send(text);
  }),
);

describe('a client with values', () => {
  test('sends and receives them, typed by the schemas', async () => {
    const client = await connect(app, '/talk', { messages: said, sends: say });
    client.send({ text: 'hello' });
    const message = await client.wait();
    expect(message?.from).toBe('server');
    client.send({ text: 'again' });
    client.send({ text: 'leave' });
    const all: string[] = [];
    for await (const { text } of client) all.push(text);
    expect(all).toEqual(['again']);
    expect(await client.closed).toMatchObject({ code: 1000 });
  });

  test('loses no value that is falsy', async () => {
    const client = await connect(app, '/wrong', { messages: 'json' });
    const falsy = [null, false, 0, ''];
    const sendAll = () => {
      for (const value of falsy) client.send(value);
    };
    sendAll();
    for (const value of falsy) expect(await client.wait()).toBe(value);
    sendAll();
    await client.ping();
    for (const value of falsy) expect(client.read('nothing')).toBe(value);
    sendAll();
    const all: unknown[] = [];
    for await (const value of client) {
      all.push(value);
      if (all.length === falsy.length) break;
    }
    expect(all).toEqual(falsy);
  });

  test('works with schemas that answer with a promise', async () => {
    const client = await connect(app, '/wrong', { messages: slowTextSchema });
    for (const text of ['1', '2', '3', '4', '5']) client.send(text);
    await client.ping();
    expect(await client.wait()).toBe('1');
    expect(await Promise.all([client.wait(500), client.wait(500)])).toEqual(['2', '3']);
    expect(() => client.read()).toThrow(
      expect.objectContaining({ code: 'ERR_WEBSOCKET_ASYNC_SCHEMA' }) as Error,
    );
    const all: string[] = [];
    for await (const text of client) {
      all.push(text);
      if (text === '5') break;
    }
    expect(all).toEqual(['4', '5']);
    expect(await client.wait(0)).toBeNull();
  });

  test('a wait fails with what the server sent if it does not fit, and shows the line of the test', async () => {
    const client = await connect(app, '/wrong', { messages: said });
    client.send({ name: 'Ada' });
    const error: unknown = await client.wait().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(WebsocketExpectationError);
    expect((error as Error).message).toBe(
      'expected a message that fits the option messages; the server sent the string "{\\"name\\":\\"Ada\\"}", an invalid ' +
        'message at text: expected a string',
    );
    expect((error as Error).stack).toContain('values.test.ts');
    // The client stays open, and the next message is readable.
    client.send({ text: 'hello' });
    expect(await client.wait()).toEqual({ text: 'hello' });
  });

  test('an iteration and read() fail in the same way', async () => {
    for (const messages of [textSchema, slowTextSchema]) {
      const client = await connect(app, '/wrong', { messages });
      client.send(1);
      await expect(client[Symbol.asyncIterator]().next()).rejects.toThrow(WebsocketExpectationError);
      client.send(1);
      await client.ping();
      await expect(client[Symbol.asyncIterator]().next()).rejects.toThrow(WebsocketExpectationError);
    }
    const client = await connect(app, '/wrong', { messages: textSchema });
    client.send(1);
    await client.ping();
    expect(() => client.read()).toThrow(WebsocketExpectationError);
  });

  test('the option invalid replaces that failure', async () => {
    const invalid = vi.fn();
    const client = await connect(app, '/wrong', { messages: textSchema, invalid });
    client.send(1);
    client.send('a');
    expect(await client.wait()).toBe('a');
    expect(invalid).toHaveBeenCalledExactlyOnceWith([{ message: 'expected a text' }], expect.anything(), '1');
  });

  test('a schema that throws fails the wait with its error', async () => {
    const error = new Error('broken');
    const client = await connect(app, '/wrong', {
      messages: schemaOf(() => {
        throw error;
      }),
    });
    client.send(1);
    await expect(client.wait()).rejects.toBe(error);
  });

  test('receives the end once, as ever', async () => {
    const client = await connect(app, '/talk', { messages: said, sends: say });
    client.send({ text: 'leave' });
    expect(await client.wait()).toBeNull();
    await expect(client.wait()).rejects.toBeInstanceOf(WebsocketClosedError);
  });

  test('a binary message closes with 1003', async () => {
    const client = await connect(app, '/text', { messages: 'json' });
    client.send(Buffer.from('a'));
    expect(await client.closed).toMatchObject({ code: 1003 });
  });

  test('sees why a server refused its message', async () => {
    const client = await connect(app, '/talk');
    client.send('{}');
    expect(await client.closed).toMatchObject({
      code: 1007,
      reason: 'invalid message at text: expected a string',
    });
  });

  test('sends throws for what does not fit', async () => {
    const client = await connect(app, '/talk', { messages: said, sends: say });
    expect(() => client.send({} as never)).toThrow(TypeError);
  });

  test('the options are checked', async () => {
    await expect(connect(app, '/talk', { sends: say } as never)).rejects.toThrow(
      "option \"sends\" must be used together with messages: 'json' or a schema (messages is 'both' here)",
    );
  });
});

describe('runHandler', () => {
  const handler: AcceptWebsocketHandler<{ room: string }, typeof say, object, typeof said> = async (req) => {
    if (!req.isWebsocket()) return;
    for await (const { text } of req.websocket) req.websocket.send({ from: req.params.room, text });
  };

  test('gives its client the other side of the values', async () => {
    const { client, ended } = runHandler(handler, { params: { room: 'a' } }, { messages: say, sends: said });
    // At once, before the handshake is complete.
    const message = { text: 'hello' };
    client.send(message);
    message.text = 'changed later';
    expect(await client.wait()).toEqual({ from: 'a', text: 'hello' });
    client.send({ text: 'again' });
    expect((await client.wait())?.text).toBe('again');
    await client.close();
    expect(await ended).toMatchObject({ outcome: 'returned', code: 1000 });
  });

  test('lets its client send what does not fit, for the handler is what a test is about', async () => {
    const { client, ended } = runHandler(handler, {}, { messages: say, sends: said });
    client.send({ text: 1 } as never);
    expect(await client.closed).toMatchObject({ code: 1007 });
    expect(await ended).toMatchObject({ outcome: 'returned' });
  });

  test('refuses at once what JSON cannot represent, and copies bytes', async () => {
    const { client } = runHandler(
      async (req) => {
        for await (const value of req.websocket) req.websocket.send([value]);
      },
      {},
      { messages: 'json' },
    );
    expect(() => client.send(undefined)).toThrow(TypeError);
    client.send('a');
    expect(await client.wait()).toEqual(['a']);
  });

  test('without values its client sends text', async () => {
    const { client } = runHandler(async (req) => req.websocket.send((await req.websocket.wait()) ?? ''));
    client.send('text');
    expect(await client.wait()).toBe('text');
  });
});
