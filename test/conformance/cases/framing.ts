import { binary, encodeFrame, Opcode, text } from '../../support/raw-frames.js';
import { bytes, hex, letters, repeat, type Case, type Section } from '../case.js';

const MiB = 2 ** 20;

// Both sides of every border: of the three encodings, of common buffer sizes, of what fits in one segment.
const LENGTHS = [
  0,
  1,
  2,
  3,
  4,
  5,
  7,
  8,
  124,
  125,
  126,
  127,
  128,
  129,
  255,
  256,
  1023,
  1024,
  1460,
  4096,
  16_383,
  16_384,
  32_768,
  65_530,
  65_534,
  65_535,
  65_536,
  65_537,
  131_072,
  MiB - 1,
  MiB,
  MiB + 1,
  16 * MiB,
];

const lengths: Case[] = LENGTHS.flatMap((length) => [
  { name: `text of ${String(length)} bytes`, send: [text(letters(length))], messages: [letters(length)] },
  { name: `binary of ${String(length)} bytes`, send: [binary(bytes(length))], messages: [bytes(length)] },
]);

// RFC 6455, 5.2, asks the sender for the shortest form; nothing is said about what a receiver does with a longer one.
const longForms: Case[] = (
  [
    [0, 16],
    [5, 16],
    [125, 16],
    [0, 64],
    [5, 64],
    [126, 64],
    [65_535, 64],
  ] as const
).map(([length, lengthBits]) => ({
  name: `${String(length)} bytes with a length of ${String(lengthBits)} bits`,
  send: [binary(bytes(length), { lengthBits })],
  messages: [bytes(length)],
}));

const masks: Case[] = [
  '00000000',
  'ffffffff',
  '00000001',
  '01000000',
  '37fa213d',
  '80808080',
  'ff00ff00',
].flatMap((mask) =>
  [3, 4, 130].map((length) => ({
    name: `${String(length)} bytes masked with ${mask}`,
    send: [binary(bytes(length), { mask: Buffer.from(mask, 'hex') })],
    messages: [bytes(length)],
  })),
);

const unmasked: Case[] = (
  [
    ['text', Opcode.text, 'Hello'],
    ['empty text', Opcode.text, ''],
    ['binary', Opcode.binary, bytes(5)],
    ['200 bytes', Opcode.binary, bytes(200)],
    ['ping', Opcode.ping, ''],
    ['pong', Opcode.pong, 'x'],
    ['close', Opcode.close, Buffer.from([3, 0xe8])],
  ] as const
).map(([name, opcode, payload]) => ({
  name: `${name} without a mask`,
  send: [encodeFrame({ opcode, payload, mask: false })],
  close: 1002,
}));

const rows: Case[] = [
  {
    name: 'the masked Hello of RFC 6455, 5.7',
    send: [Buffer.from('818537fa213d7f9f4d5158', 'hex')],
    messages: ['Hello'],
  },
  {
    name: 'the fragmented Hello of RFC 6455, 5.7, masked',
    send: [text('Hel', { fin: false }), encodeFrame({ opcode: 0, payload: 'lo' })],
    messages: ['Hello'],
  },
  {
    name: 'ten messages',
    send: repeat(10, (i) => text(`#${String(i)}`)),
    messages: repeat(10, (i) => `#${String(i)}`),
  },
  {
    name: '1,000 messages in one segment',
    send: [Buffer.concat(repeat(1_000, (i) => text(`#${String(i)}`)))],
    messages: repeat(1_000, (i) => `#${String(i)}`),
  },
  {
    name: '1,000 empty messages in one segment',
    send: [Buffer.concat(repeat(1_000, (i) => (i % 2 ? text('') : binary(''))))],
    messages: repeat(1_000, (i) => (i % 2 ? '' : Buffer.alloc(0))),
  },
  {
    name: 'text and binary by turns, each of another length',
    send: repeat(60, (i) => (i % 2 ? text(letters(i * 7)) : binary(bytes(i * 7)))),
    messages: repeat(60, (i) => (i % 2 ? letters(i * 7) : bytes(i * 7))),
  },
  {
    name: 'a large message between two small ones',
    send: [text('before'), binary(bytes(MiB)), text('after')],
    messages: ['before', bytes(MiB), 'after'],
  },
  {
    name: '64 messages of 64 KiB',
    send: repeat(64, (i) => binary(bytes(65_536 + i))),
    messages: repeat(64, (i) => bytes(65_536 + i)),
  },
  ...[1, 2, 3, 5, 6, 7].map((cut): Case => {
    const whole = text('Hello');
    return {
      name: `a frame cut into two segments after byte ${String(cut)} (${hex(whole.subarray(0, cut))})`,
      send: [whole.subarray(0, cut), whole.subarray(cut)],
      messages: ['Hello'],
    };
  }),
  ...[1, 3, 4, 7, 8, 9, 200].map((cut): Case => {
    const whole = binary(bytes(300));
    return {
      name: `a frame with a 16-bit length cut after byte ${String(cut)}`,
      send: [whole.subarray(0, cut), whole.subarray(cut)],
      messages: [bytes(300)],
    };
  }),
  ...[1, 5, 9, 10, 13, 14, 15, 40_000].map((cut): Case => {
    const whole = binary(bytes(70_000));
    return {
      name: `a frame with a 64-bit length cut after byte ${String(cut)}`,
      send: [whole.subarray(0, cut), whole.subarray(cut)],
      messages: [bytes(70_000)],
    };
  }),
];

export const framing: Section = {
  name: 'framing',
  options: { maxPayload: 16 * MiB },
  cases: [...lengths, ...longForms, ...masks, ...unmasked, ...rows],
};
