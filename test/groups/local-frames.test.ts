import { describe, expect, test } from 'vitest';
import {
  type Frame,
  FrameReader,
  Kind,
  readMessage,
  writeAck,
  writeFrame,
  writeMessage,
} from '../../src/groups/local/frames.js';
import { Random } from '../long/chaos/random.js';

function collect(reader: FrameReader, chunks: Buffer[]): Frame[] {
  const frames: Frame[] = [];
  for (const chunk of chunks) {
    const isValid = reader.read(chunk, ({ kind, body, bytes }) => {
      frames.push({ kind, body: Buffer.from(body), bytes: Buffer.from(bytes) });
      return true;
    });
    expect(isValid).toBe(true);
  }
  return frames;
}

describe('a reader of frames', () => {
  test.for([1, 2, 3, 4, 5, 6, 7, 8])('finds the same frames in any chunks (seed %i)', (seed) => {
    const random = new Random(seed);
    const written = Array.from({ length: 40 }, () => {
      const data = Buffer.alloc(random.pick([0, 1, 5, 300, 20_000]), random.between(0, 255));
      return random.pick([
        writeMessage('é'.repeat(random.between(0, 9)), data),
        writeFrame(Kind.PING),
        writeAck(7),
      ]);
    });
    const stream = Buffer.concat(written);
    const chunks: Buffer[] = [];
    for (let at = 0; at < stream.length;) {
      const length = random.pick([1, 2, 5, 1_000, 65_536]);
      chunks.push(stream.subarray(at, at + length));
      at += length;
    }
    expect(collect(new FrameReader(30_000), chunks).map(({ bytes }) => bytes)).toEqual(written);
  });

  test('returns name and data of a message', () => {
    const [frame] = collect(new FrameReader(100), [writeMessage('你好', Buffer.from([1, 2]))]);
    const message = readMessage(frame!.body);
    expect([message?.name.toString(), message?.data]).toEqual(['你好', Buffer.from([1, 2])]);
    expect(readMessage(Buffer.from([0, 0]))).toBeUndefined();
    expect(readMessage(Buffer.from([0, 0, 0, 9, 1]))).toBeUndefined();
  });

  test('refuses a frame above the limit before it has come', () => {
    const reader = new FrameReader(10);
    const start = writeFrame(Kind.SUBSCRIBE, 'x'.repeat(10)).subarray(0, 5);
    expect(reader.read(start, () => true)).toBe(false);
  });
});
