import { connect } from 'dwebsocket/client';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { FakeWebSocket } from './support/fake-websocket.js';

beforeEach(() => {
  FakeWebSocket.all = [];
});

const open = (options: object) => {
  const socket = connect('wss://a.test', { WebSocket: FakeWebSocket, ...options });
  onTestFinished(async () => {
    const closing = socket.close();
    if (FakeWebSocket.last.readyState === 2) FakeWebSocket.last.end(1000);
    await closing;
  });
  FakeWebSocket.last.open();
  return { socket, wire: FakeWebSocket.last };
};

const Said = z.object({ text: z.string().min(1), at: z.number().default(7) });

test('a schema gives its output, with defaults applied', async () => {
  const { socket, wire } = open({ messages: Said });
  wire.receive('{"text":"hello"}');
  expect(await socket.wait()).toEqual({ text: 'hello', at: 7 });
});

test.for([
  ['no JSON', Said, 'hello'],
  ['a value that does not fit', Said, '{"text":""}'],
  ['bytes where values are expected', 'json', new ArrayBuffer(2)],
  ['bytes where text is expected', 'text', new ArrayBuffer(2)],
  ['text where bytes are expected', 'binary', 'hello'],
] as const)('%s stops with 4007, after the messages that came before', async ([, messages, data]) => {
  const { socket, wire } = open({ messages });
  const before = messages === 'binary' ? new ArrayBuffer(1) : '{"text":"before"}';
  wire.receive(before);
  wire.receive(data);
  expect(socket.state).toBe('closed');
  const [[code, reason]] = wire.closedWith as [[number, string]];
  expect(code).toBe(4007);
  expect(reason).toMatch(/^invalid message: /);
  expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
  wire.receive(before);
  expect(await socket.wait()).not.toBeNull();
  expect(await socket.wait()).toBeNull();
  wire.end(4007);
  expect(await socket.closed).toMatchObject({ code: 4007, wasClean: true });
});

test('the reason of a long issue fits into a close frame, whatever its characters are', () => {
  const { wire } = open({ messages: z.string().refine(() => false, '界🎉'.repeat(100)) });
  wire.receive('"x"');
  const [[, reason]] = wire.closedWith as [[number, string]];
  expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
});

test('invalid gets what does not fit, and the message is skipped', async () => {
  const told: unknown[] = [];
  const { socket, wire } = open({
    messages: Said,
    invalid: (issues: unknown[], client: unknown, data: unknown) => told.push([issues.length, client, data]),
  });
  wire.receive('nonsense');
  wire.receive('{"text":"hello"}');
  expect(socket.countMessages()).toBe(1);
  expect(await socket.wait()).toEqual({ text: 'hello', at: 7 });
  expect(told).toEqual([[1, socket, 'nonsense']]);
});

test('messages keep their order while an async schema checks them, and the end comes after them', async () => {
  const Slow = z.object({ n: z.number() }).refine(async ({ n }) => {
    for (let turn = n; turn < 5; turn++) await new Promise(setImmediate);
    return n !== 2;
  });
  const invalid: unknown[] = [];
  const { socket, wire } = open({
    messages: Slow,
    invalid: (_issues: unknown, _client: unknown, data: unknown) => invalid.push(data),
  });
  for (let n = 0; n < 5; n++) wire.receive(`{"n":${n}}`);
  expect(socket.countMessages()).toBe(5);
  expect(socket.read('not yet')).toBe('not yet');
  wire.end(1000);
  expect(socket.state).toBe('closed');
  const received: unknown[] = [];
  for await (const message of socket) received.push(message);
  expect(received).toEqual([{ n: 0 }, { n: 1 }, { n: 3 }, { n: 4 }]);
  expect(invalid).toEqual(['{"n":2}']);
});

test.for([
  [
    'throws',
    () => {
      throw new Error('broken');
    },
  ],
  ['rejects', () => Promise.reject(new Error('broken'))],
] as const)('a schema that %s is an issue', async ([, validate]) => {
  const { socket, wire } = open({ messages: { '~standard': { version: 1, vendor: 'test', validate } } });
  wire.receive('1');
  expect(await socket.wait()).toBeNull();
  expect(wire.closedWith).toEqual([[4007, 'invalid message: broken']]);
});

test('send encodes values as JSON, and leaves bytes as they are', () => {
  const { socket, wire } = open({ messages: 'json' });
  for (const value of [{ a: 1 }, 'text', null, [1], 0]) void socket.send(value as never);
  void socket.send(new Uint8Array([1]));
  expect(wire.sent).toEqual(['{"a":1}', '"text"', 'null', '[1]', '0', new Uint8Array([1])]);
  for (const value of [undefined, () => {}, Symbol('x'), 1n])
    expect(() => socket.send(value as never)).toThrow(TypeError);
});

test('send copies bytes: a view, an ArrayBuffer, a part of a buffer', () => {
  const { socket, wire } = open({});
  const bytes = new Uint8Array([1, 2, 3, 4]);
  void socket.send(bytes.subarray(1, 3));
  void socket.send(bytes.buffer);
  void socket.send(new DataView(bytes.buffer, 3));
  void socket.send(new Uint16Array(bytes.buffer));
  bytes.fill(0);
  expect(wire.sent).toEqual([[2, 3], [1, 2, 3, 4], [4], [1, 2, 3, 4]].map((all) => new Uint8Array(all)));
});

test.for([42, {}, null, undefined, true])('send(%o) without values throws, with the cure', (value) => {
  const { socket } = open({});
  expect(() => socket.send(value as never)).toThrow(/messages: "json"/);
});

test('a message for a connection that the server has begun to close is kept for the next one', async () => {
  const { socket, wire } = open({ minPause: 1, maxPause: 5 });
  wire.readyState = 2;
  const sent = socket.send('kept');
  expect(wire.sent).toEqual([]);
  wire.end(1012);
  await expect.poll(() => FakeWebSocket.all.length).toBe(2);
  FakeWebSocket.last.open();
  expect(FakeWebSocket.last.sent).toEqual(['kept']);
  expect(await sent).toBe(true);
});

test('send waits while more than 64 KiB are buffered, and a lost connection ends the wait', async () => {
  const { socket, wire } = open({});
  let settled = 0;
  const send = (data: string) => void socket.send(data).then(() => settled++);
  wire.bufferedAmount = 70_000;
  send('one');
  send('two');
  await new Promise(setImmediate);
  expect(settled).toBe(0);
  wire.bufferedAmount = 0;
  await expect.poll(() => settled).toBe(2);
  wire.bufferedAmount = 70_000;
  send('three');
  wire.end();
  await expect.poll(() => settled).toBe(3);
});

test.for([
  ['an unknown name', { maxPaylod: 1 }, /unknown option "maxPaylod"/],
  ['a number that is none', { minPause: '1' }, TypeError],
  ['zero', { maxPause: 0 }, RangeError],
  ['a number that is not whole', { connectTimeout: 1.5 }, RangeError],
  ['a number that is too large for a timer', { closeTimeout: 2 ** 31 }, RangeError],
  ['no WebSocket', { WebSocket: null }, /of ws/],
] as const)('%s as an option throws', ([, options, error]) => {
  expect(() => open(options)).toThrow(error);
  expect(FakeWebSocket.all).toEqual([]);
});

test('an option that is undefined has its default', () => {
  const { wire } = open({ messages: undefined, minPause: undefined, protocols: undefined });
  expect(wire.protocols).toEqual([]);
});
