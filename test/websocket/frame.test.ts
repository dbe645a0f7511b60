import { describe, expect, test } from 'vitest';
import { asBytes, encodeFrame } from '../../src/websocket/frame.js';
import { encodeServerFrame, Opcode } from '../support/raw-frames.js';

describe('encodeFrame', () => {
  test.for([[0], [1], [125], [126], [127], [65_535], [65_536], [70_000]] as const)(
    'encodes %d bytes as a frame of RFC 6455, 5.2',
    ([size]) => {
      const payload = Buffer.alloc(size, 'x');
      expect(encodeFrame(payload, undefined).equals(encodeServerFrame(Opcode.binary, payload))).toBe(true);
      expect(encodeFrame(payload.toString(), undefined).equals(encodeServerFrame(Opcode.text, payload))).toBe(
        true,
      );
    },
  );

  test('writes the length of a string in UTF-8 bytes', () => {
    const text = '这是👋'.repeat(20);
    expect(encodeFrame(text, undefined)).toEqual(encodeServerFrame(Opcode.text, text));
  });

  test('uses the type that the option binary asks for', () => {
    expect(encodeFrame('text', true)).toEqual(encodeServerFrame(Opcode.binary, 'text'));
    expect(encodeFrame('text', false)).toEqual(encodeServerFrame(Opcode.text, 'text'));
    expect(encodeFrame(Buffer.from('bytes'), false)).toEqual(encodeServerFrame(Opcode.text, 'bytes'));
    expect(encodeFrame(Buffer.from('bytes'), true)).toEqual(encodeServerFrame(Opcode.binary, 'bytes'));
  });

  test('copies the payload', () => {
    const payload = Buffer.from('abc');
    const frame = encodeFrame(payload, undefined);
    payload.fill('z');
    expect(frame.subarray(2).toString()).toBe('abc');
  });
});

describe('a value that is not a message', () => {
  test.for([
    [{ a: 1 }, 'send(JSON.stringify(value))', (value: unknown) => JSON.stringify(value)],
    [null, 'send(JSON.stringify(value))', (value: unknown) => JSON.stringify(value)],
    [42, 'send(JSON.stringify(value))', (value: unknown) => JSON.stringify(value)],
    [undefined, 'send null instead', () => JSON.stringify(null)],
    [() => undefined, 'send null instead', () => JSON.stringify(null)],
    [Symbol('s'), 'send null instead', () => JSON.stringify(null)],
    [42n, 'send(String(value))', String],
    [Promise.resolve('text'), 'send(await value)', (value: unknown) => value],
    [
      new Blob(['text']),
      'send(await value.arrayBuffer())',
      (value: unknown) => (value as Blob).arrayBuffer(),
    ],
  ] as const)('%o throws an error with advice that works', async ([value, advice, follow]) => {
    expect(() => asBytes(value)).toThrow(advice);
    expect(encodeFrame((await follow(value)) as string, undefined).length).toBeGreaterThan(2);
  });
});

describe('asBytes', () => {
  test('returns a view of the right part of memory, not a copy', () => {
    const memory = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
    expect([...asBytes(new Uint16Array(memory.buffer, 2, 2))]).toEqual([3, 4, 5, 6]);
    expect([...asBytes(new DataView(memory.buffer, 6))]).toEqual([7, 8]);
    expect(asBytes(memory)).toBe(memory);
    expect(asBytes(memory.buffer).buffer).toBe(memory.buffer);
  });

  test('recognizes an ArrayBuffer of another realm', async () => {
    const { runInNewContext } = await import('node:vm');
    const foreign = runInNewContext('new Uint8Array([1, 2, 3]).buffer') as ArrayBuffer;
    expect(foreign).not.toBeInstanceOf(ArrayBuffer);
    expect([...asBytes(foreign)]).toEqual([1, 2, 3]);
  });

  test.for([[1], [{}], [['a']], [null], [undefined], [() => {}], [new Map()]] as const)(
    'throws for %o',
    ([value]) => {
      expect(() => asBytes(value)).toThrow(TypeError);
      expect(() => asBytes(value)).toThrow(expect.objectContaining({ code: 'ERR_WEBSOCKET_ARGUMENT' }));
    },
  );
});
