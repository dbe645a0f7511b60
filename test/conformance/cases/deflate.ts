import { constants, deflateRawSync } from 'node:zlib';
import { binary, close, more, ping, pong, text } from '../../support/raw-frames.js';
import { bytes, letters, repeat, type Case, type Section } from '../case.js';
import { compress, compressed, compressedInARow, compressedInFragments } from '../deflate.js';

const raw = (digits: string) => Buffer.from(digits.replaceAll(' ', ''), 'hex');
const rsv1 = { rsv: 4 };
const LIMIT = 1 << 20;

// RFC 7692, 7.2.3: each of its examples, masked as a client must.
const ofTheRfc: Case[] = [
  { name: '7.2.3.1, one block', send: [text(raw('f2 48 cd c9 c9 07 00'), rsv1)], messages: ['Hello'] },
  {
    name: '7.2.3.1, in two fragments',
    send: [text(raw('f2 48 cd'), { ...rsv1, fin: false }), more(raw('c9 c9 07 00'))],
    messages: ['Hello'],
  },
  {
    name: '7.2.3.2, the second message refers to the first',
    send: [text(raw('f2 48 cd c9 c9 07 00'), rsv1), text(raw('f2 00 11 00 00'), rsv1)],
    messages: ['Hello', 'Hello'],
  },
  {
    name: '7.2.3.3, a block without compression',
    send: [text(raw('00 05 00 fa ff 48 65 6c 6c 6f 00'), rsv1)],
    messages: ['Hello'],
  },
  {
    name: '7.2.3.4, a block with BFINAL',
    send: [text(raw('f3 48 cd c9 c9 07 00 00'), rsv1)],
    messages: ['Hello'],
  },
  {
    name: '7.2.3.5, two blocks in one message',
    send: [text(raw('f2 48 05 00 00 00 ff ff ca c9 c9 07 00'), rsv1)],
    messages: ['Hello'],
  },
  { name: '7.2.3.6, an empty message', send: [text(raw('00'), rsv1)], messages: [''] },
];

const sizes: Case[] = [0, 1, 5, 100, 125, 126, 1_023, 1_024, 1_025, 65_535, 65_536, 300_000].flatMap(
  (length) => [
    {
      name: `text of ${String(length)} bytes`,
      send: [compressed(letters(length))],
      messages: [letters(length)],
    },
    {
      name: `binary of ${String(length)} bytes`,
      send: [compressed(bytes(length))],
      messages: [bytes(length)],
    },
  ],
);

const levels: Case[] = [0, 1, 9].map((level) => ({
  name: `compressed at level ${String(level)}`,
  send: [compressed(letters(5_000), { level })],
  messages: [letters(5_000)],
}));

const fragments: Case[] = [1, 2, 7, 100, 1_000, 10_000].map((size) => ({
  name: `fragments of ${String(size)} bytes`,
  send: compressedInFragments(letters(3_000), size),
  messages: [letters(3_000)],
}));

const mixed: Case[] = [
  {
    name: 'without compression, though agreed on',
    send: [text('Hello'), binary('Hello')],
    messages: ['Hello', Buffer.from('Hello')],
  },
  {
    name: 'with and without by turns',
    send: repeat(20, (i) => (i % 2 ? text(String(i)) : compressed(String(i), { before: Buffer.alloc(0) }))),
    messages: repeat(20, String),
  },
  {
    name: 'ten messages in a row',
    send: compressedInARow(repeat(10, () => letters(2_000))),
    messages: repeat(10, () => letters(2_000)),
  },
  {
    name: '100 small messages in one segment',
    send: [Buffer.concat(compressedInARow(repeat(100, (i) => `message ${String(i)}`)))],
    messages: repeat(100, (i) => `message ${String(i)}`),
  },
  {
    name: 'text and binary by turns',
    send: compressedInARow(repeat(10, (i) => (i % 2 ? letters(1_500 + i) : bytes(1_500 + i)))),
    messages: repeat(10, (i) => (i % 2 ? letters(1_500 + i) : bytes(1_500 + i))),
  },
  {
    name: 'ping between two compressed fragments',
    send: [
      ...compressedInFragments('Hello', 4).slice(0, 1),
      ping('?'),
      ...compressedInFragments('Hello', 4).slice(1),
    ],
    messages: ['Hello'],
    pongs: ['?'],
  },
  {
    name: 'a ping behind a compressed message',
    send: [compressed('a'), ping('p')],
    messages: ['a'],
    pongs: ['p'],
  },
  {
    name: 'empty fragments around the compressed bytes',
    send: [text('', { ...rsv1, fin: false }), more(compress('Hello'), { fin: false }), more('')],
    messages: ['Hello'],
  },
  {
    name: 'a message that ends with BFINAL, then another one',
    send: [
      text(Buffer.concat([deflateRawSync('one', { finishFlush: constants.Z_FINISH }), Buffer.of(0)]), rsv1),
      text(compress('two'), rsv1),
    ],
    messages: ['one', 'two'],
  },
  {
    name: 'UTF-8 in compressed text',
    send: [compressed('这是你发来的。。。')],
    messages: ['这是你发来的。。。'],
  },
];

const misuse: Case[] = [
  { name: 'RSV1 on a ping', send: [ping('x', rsv1)], close: 1002 },
  { name: 'RSV1 on a pong', send: [pong('x', rsv1)], close: 1002 },
  { name: 'RSV1 on a close', send: [close(1000, '', rsv1)], close: 1002 },
  {
    name: 'RSV1 on a continuation',
    send: [text(compress('Hello'), { ...rsv1, fin: false }), more('', rsv1)],
    close: 1002,
  },
  {
    name: 'RSV1 on the continuation of a plain text',
    send: [text('a', { fin: false }), more('b', rsv1)],
    close: 1002,
  },
  { name: 'RSV1 on a continuation of nothing', send: [more('b', rsv1)], close: 1002 },
  { name: 'RSV1 and RSV2', send: [text(compress('Hello'), { rsv: 6 })], close: 1002 },
  { name: 'RSV1 and RSV3', send: [text(compress('Hello'), { rsv: 5 })], close: 1002 },
  { name: 'RSV2 alone', send: [text('Hello', { rsv: 2 })], close: 1002 },
  {
    name: 'RSV1 with a reserved opcode',
    send: [text(compress('Hello'), { ...rsv1, opcode: 3 })],
    close: 1002,
  },
  { name: 'bytes that are not compressed', send: [text(Buffer.from('Hello, World!'), rsv1)], close: 1007 },
  { name: 'a block type that does not exist', send: [text(Buffer.of(0x07), rsv1)], close: 1007 },
  {
    name: 'a stored block with a wrong length',
    send: [text(raw('00 05 00 00 00 48 65'), rsv1)],
    close: 1007,
  },
  { name: 'a reference to what was never sent', send: [text(raw('f2 00 11 00 00'), rsv1)], close: 1007 },
  {
    name: 'invalid UTF-8, compressed',
    send: [text(compress(Buffer.from([0xed, 0xa0, 0x80])), rsv1)],
    close: 1007,
  },
  {
    name: 'invalid UTF-8 over two compressed fragments',
    send: [
      text(compress(Buffer.from([0xce, 0xba, 0xff])).subarray(0, 2), { ...rsv1, fin: false }),
      more(compress(Buffer.from([0xce, 0xba, 0xff])).subarray(2)),
    ],
    close: 1007,
  },
];

const limits: Case[] = [
  {
    name: 'exactly maxPayload when inflated',
    send: [compressed(Buffer.alloc(LIMIT))],
    messages: [Buffer.alloc(LIMIT)],
  },
  {
    name: 'one byte more than maxPayload when inflated',
    send: [compressed(Buffer.alloc(LIMIT + 1))],
    close: 1009,
  },
  { name: 'a bomb: 64 MiB in 64 KiB', send: [compressed(Buffer.alloc(64 * LIMIT))], close: 1009 },
  { name: 'a bomb in fragments', send: compressedInFragments(Buffer.alloc(8 * LIMIT), 1_000), close: 1009 },
];

const OFFER = 'permessage-deflate';
const offered = (offer: string, cases: Case[]): Case[] => cases.map((row) => ({ ...row, offer }));

export const deflate: Section = {
  name: 'permessage-deflate',
  options: { perMessageDeflate: true, maxPayload: LIMIT },
  cases: offered(OFFER, [...ofTheRfc, ...sizes, ...levels, ...fragments, ...mixed, ...misuse, ...limits]),
};

const large = repeat(4, (i) => letters(40_000 + i)); // longer than any window

const windows: Case[] = [9, 10, 11, 12, 13, 14, 15].flatMap((bits) => [
  {
    name: `the server's window has ${String(bits)} bits`,
    offer: `${OFFER}; server_max_window_bits=${String(bits)}`,
    send: large.map((message) => compressed(message)),
    messages: large,
  },
  {
    name: `the client's window has ${String(bits)} bits`,
    offer: `${OFFER}; client_max_window_bits=${String(bits)}`,
    send: large.map((message) => compressed(message, { windowBits: bits })),
    messages: large,
  },
]);

const takeover: Case[] = [
  ['server_no_context_takeover'],
  ['client_no_context_takeover'],
  ['server_no_context_takeover', 'client_no_context_takeover'],
  ['server_no_context_takeover', 'server_max_window_bits=10'],
  ['client_no_context_takeover', 'client_max_window_bits=10', 'server_max_window_bits=9'],
].map((parameters) => ({
  name: parameters.join(', '),
  offer: [OFFER, ...parameters].join('; '),
  send: repeat(5, () => compressed(letters(3_000), { windowBits: 10 })),
  messages: repeat(5, () => letters(3_000)),
}));

export const deflateParameters: Section = {
  name: 'permessage-deflate with parameters',
  options: { perMessageDeflate: true },
  cases: [...windows, ...takeover],
};

export const deflateOff: Section = {
  name: 'permessage-deflate offered, but off',
  cases: offered(OFFER, [
    { name: 'a plain message', send: [text('Hello')], messages: ['Hello'] },
    { name: 'a compressed message', send: [compressed('Hello')], close: 1002 },
  ]),
};
