import { describe, expect, test } from 'vitest';
import { Random } from '../hostile/fuzz/random.js';
import { randomChunks, randomStream } from '../support/frame-streams.js';
import { binary, close, more, ping, pong, text } from '../support/raw-frames.js';
import { receiveAhead, receiveAlone, type StreamOptions } from '../support/receivers.js';

/** Returns what our reader delivers. Checks that `ws` alone delivers the same. */
async function received(chunks: Buffer[], options?: StreamOptions): Promise<string[]> {
  const outcome = await receiveAhead(chunks, options);
  expect(outcome).toEqual(await receiveAlone(chunks, options));
  return outcome;
}

function cutInto(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}

/** Returns bytes that show their position. */
function numbered(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => (index * 7 + (index >> 8)) & 0xff));
}

describe('a message in one frame', () => {
  test.for([0, 1, 125, 126, 127, 128, 65_535, 65_536, 100_003])('of %d bytes', async (length) => {
    const payload = numbered(length);
    expect(await received([binary(payload)])).toEqual([`binary ${payload.toString('latin1')}`]);
    const letters = 'x'.repeat(length);
    expect(await received([text(letters)])).toEqual([`text ${letters}`]);
  });

  test.for(['grüße', '中文', '👋', '\ufffd', '\ufeff BOM', '\u0000', 'x'.repeat(200) + 'é'])(
    'of the text %j',
    async (letters) => {
      const bytes = Buffer.from(letters).toString('latin1');
      expect(await received([text(letters)])).toEqual([`text ${bytes}`]);
    },
  );

  test.for([
    Buffer.from([0xff]),
    Buffer.from([0xed, 0xa0, 0x80]),
    Buffer.from([0xc0, 0x80]),
    Buffer.from([0xf5, 0x80, 0x80, 0x80]),
    Buffer.from('é').subarray(0, 1),
    Buffer.concat([Buffer.alloc(300, 'x'), Buffer.from([0x80])]),
    Buffer.concat([Buffer.from('\ufffd'), Buffer.from([0x80])]),
  ])('is refused by ws if its text is not UTF-8 (%j)', async (bytes) => {
    expect(await received([Buffer.concat([text('before'), text(bytes), text('behind')])])).toEqual([
      'text before',
      'error WS_ERR_INVALID_UTF8',
    ]);
  });

  test.for([16, 64] as const)(
    'may encode its length in more bits than necessary (%d)',
    async (lengthBits) => {
      expect(await received([text('abc', { lengthBits })])).toEqual(['text abc']);
    },
  );

  test('is delivered unchanged, and leaves the chunk of the test unchanged', async () => {
    const frame = binary(numbered(1000));
    const before = Buffer.from(frame);
    await received([frame]);
    expect(frame).toEqual(before);
  });
});

describe('a violation of the protocol', () => {
  test.for<[string, Buffer, string]>([
    ['a reserved bit', text('x', { rsv: 2 }), 'WS_ERR_UNEXPECTED_RSV_2_3'],
    ['compression that was not agreed on', text('x', { rsv: 4 }), 'WS_ERR_UNEXPECTED_RSV_1'],
    ['no mask', text('x', { mask: false }), 'WS_ERR_EXPECTED_MASK'],
    ['an unknown opcode', binary('x', { opcode: 3 }), 'WS_ERR_INVALID_OPCODE'],
    ['an unknown control opcode', binary('x', { opcode: 11 }), 'WS_ERR_INVALID_OPCODE'],
    ['a continuation of nothing', more('x'), 'WS_ERR_INVALID_OPCODE'],
    ['a long ping', ping('x'.repeat(126)), 'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH'],
    ['a ping in fragments', ping('x', { fin: false }), 'WS_ERR_EXPECTED_FIN'],
    [
      'a close frame of one byte',
      close(undefined, '', { payload: 'x' }),
      'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
    ],
    ['a close code that may not be sent', close(1005), 'WS_ERR_INVALID_CLOSE_CODE'],
    [
      'a length of more than 2 ** 53',
      binary('x', { lengthBits: 64, claimedLength: 2n ** 60n }),
      'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH',
    ],
  ])(
    '%s is refused by ws in chunks of any size, and earlier messages are delivered',
    async ([, frame, code]) => {
      const stream = Buffer.concat([text('before'), frame, text('behind')]);
      for (let size = 1; size <= 16; size++)
        expect(await received(cutInto(stream, size))).toEqual(['text before', `error ${code}`]);
      expect(await received([stream])).toEqual(['text before', `error ${code}`]);
    },
  );

  test('is refused after two bytes', async () => {
    expect(await received([text('x', { mask: false, lengthBits: 64 }).subarray(0, 2)])).toEqual([
      'error WS_ERR_EXPECTED_MASK',
    ]);
  });

  test('is a message between the fragments of another', async () => {
    const stream = Buffer.concat([text('a', { fin: false }), text('b')]);
    expect(await received([stream])).toEqual(['error WS_ERR_INVALID_OPCODE']);
  });

  test.for([
    ['in one frame', Buffer.concat([binary(numbered(100)), binary(numbered(101))])],
    ['in fragments', Buffer.concat([binary(numbered(60), { fin: false }), more(numbered(41))])],
  ] as const)(
    'is a message of more than maxPayload %s, refused as soon as its header arrives',
    async ([, stream]) => {
      const outcome = await received([stream.subarray(0, -40)], { maxPayload: 100 });
      expect(outcome.at(-1)).toBe('error WS_ERR_UNSUPPORTED_MESSAGE_LENGTH');
    },
  );
});

describe('frames in many chunks', () => {
  const stream = Buffer.concat([
    text(numbered(100).fill('a'), { fin: false }),
    ping('?'),
    more('', { fin: false }),
    pong(numbered(10)),
    more(Buffer.alloc(7_000, 'é')),
    binary(numbered(1)),
    binary(numbered(200), { mask: Buffer.from([0, 0xff, 0, 1]) }),
    binary(numbered(6_600)),
    text('中文'),
    close(4000, 'bye'),
    text('too late'),
  ]);

  test.for([1, 2, 3, 4, 5, 7, 13, 14, 15, 131, 1000, 1021, 4096, 65_536])('of %d bytes', async (size) => {
    const outcome = await received(cutInto(stream, size));
    expect(outcome.map((line) => line.split(' ', 1)[0])).toEqual([
      'ping',
      'pong',
      'text',
      'binary',
      'binary',
      'binary',
      'text',
      'close',
    ]);
  });

  test.for([1000, 4096, 65_535, 65_536])(
    'of %d bytes, with messages that are longer than a chunk',
    async (size) => {
      const long = [binary(numbered(70_000)), text('é'.repeat(200_000)), binary(numbered(65_536))];
      expect(await received(cutInto(Buffer.concat(long), size))).toHaveLength(3);
    },
  );

  test('of a stream that is split at any position', async () => {
    const two = Buffer.concat([binary(numbered(300)), text('é'.repeat(70)), ping('?'), text('x')]);
    const expected = await receiveAlone([two]);
    for (let cut = 1; cut < two.length; cut++)
      expect(await receiveAhead([two.subarray(0, cut), two.subarray(cut)])).toEqual(expected);
  });

  test('of two connections stay separate', async () => {
    const streams = ['a', 'b'].map((letter) => cutInto(binary(letter.repeat(500)), 100));
    const outcomes = await Promise.all(streams.map((chunks) => receiveAhead(chunks)));
    expect(outcomes).toEqual([[`binary ${'a'.repeat(500)}`], [`binary ${'b'.repeat(500)}`]]);
  });
});

// For 100,000 streams: npm run test:long -- test/long/reader
describe.each([
  ['plain', {}],
  ['with compression', { deflate: true }],
  ['with a small maxPayload', { maxPayload: 700 }],
  ['with all of it', { deflate: true, maxPayload: 700 }],
] as const)('random streams in random chunks, %s', (_name, options) => {
  test('deliver the same as ws alone, in order, even when the target pauses', async () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = new Random(seed);
    for (let i = 0; i < 250; i++) {
      const chunks = randomChunks(random, randomStream(random, 'deflate' in options));
      const expected = await receiveAlone(chunks, options);
      expect(await receiveAhead(chunks, options), `stream ${i} of seed ${seed}`).toEqual(expected);
      const paused = await receiveAhead(chunks, { ...options, pauses: new Random(i) });
      expect(paused, `stream ${i} of seed ${seed}, with pauses`).toEqual(expected);
      const left = await receiveAhead(chunks, { ...options, endsAtOnce: true });
      expect(left, `stream ${i} of seed ${seed}, ended at once`).toEqual(expected);
      const whole = await receiveAhead([Buffer.concat(chunks)], { ...options, endsAtOnce: true });
      expect(whole, `stream ${i} of seed ${seed}, in one chunk`).toEqual(expected);
    }
  });
});
