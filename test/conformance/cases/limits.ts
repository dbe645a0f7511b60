import { binary, more, ping, text } from '../../support/raw-frames.js';
import { bytes, letters, repeat, type Case, type Section } from '../case.js';

const LIMIT = 1_000;
const open = { fin: false };

// The length in the header is enough: nobody waits for the payload.
const announced: Case[] = [
  1_001n,
  65_535n,
  65_536n,
  2n ** 31n,
  2n ** 32n,
  2n ** 32n + 5n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
].flatMap((claimedLength) =>
  [text, binary].map((make) => ({
    name: `${make === text ? 'text' : 'binary'} that announces ${String(claimedLength)} bytes`,
    send: [make('', { claimedLength })],
    close: 1009,
  })),
);

const rows: Case[] = [
  ...[LIMIT - 1, LIMIT].flatMap((length) => [
    { name: `text of ${String(length)} bytes`, send: [text(letters(length))], messages: [letters(length)] },
    { name: `binary of ${String(length)} bytes`, send: [binary(bytes(length))], messages: [bytes(length)] },
  ]),
  { name: 'text of 1,001 bytes', send: [text(letters(LIMIT + 1))], close: 1009 },
  { name: 'binary of 100,000 bytes', send: [binary(bytes(100_000))], close: 1009 },
  {
    name: 'bytes count, not characters: 500 × é fit',
    send: [text('é'.repeat(500))],
    messages: ['é'.repeat(500)],
  },
  { name: 'bytes count, not characters: 501 × é do not', send: [text('é'.repeat(501))], close: 1009 },
  {
    name: 'two fragments that fit together',
    send: [text(letters(500), open), more(letters(500))],
    messages: [letters(500) + letters(500)],
  },
  { name: 'two fragments that do not', send: [text(letters(500), open), more(letters(501))], close: 1009 },
  {
    name: '1,001 fragments of one byte',
    send: repeat(LIMIT + 1, (i) => (i === 0 ? binary('a', open) : more('a', { fin: i === LIMIT }))),
    close: 1009,
  },
  {
    name: 'a first fragment that is too long already',
    send: [text(letters(LIMIT + 1), open)],
    close: 1009,
  },
  {
    name: 'a fragment that announces too much behind a good one',
    send: [text(letters(10), open), more('', { claimedLength: 991n })],
    close: 1009,
  },
  {
    name: 'pings inside a message do not count',
    send: [binary(bytes(900), open), ...repeat(20, () => ping(bytes(125))), more(bytes(100))],
    messages: [Buffer.concat([bytes(900), bytes(100)])],
    pongs: repeat(20, () => bytes(125)),
  },
  {
    name: 'the limit is for one message, not for all',
    send: repeat(50, () => binary(bytes(LIMIT))),
    messages: repeat(50, () => bytes(LIMIT)),
  },
  {
    name: 'a message too long behind a good one',
    send: [text('a'), text(letters(LIMIT + 1))],
    messages: ['a'],
    close: 1009,
  },
];

const MiB = 2 ** 20;
const unwanted = { close: 1003, clientAnswersClose: true };

export const limits: Section = {
  name: 'limits',
  options: { maxPayload: LIMIT },
  cases: [...announced, ...rows],
};

export const defaultLimits: Section = {
  name: 'limits as they are by default',
  cases: [
    { name: 'text of 1 MiB', send: [text(letters(MiB))], messages: [letters(MiB)] },
    { name: 'binary of 1 MiB', send: [binary(bytes(MiB))], messages: [bytes(MiB)] },
    {
      name: 'binary of 1 MiB and one byte',
      send: [binary('', { claimedLength: BigInt(MiB + 1) })],
      close: 1009,
    },
    { name: 'text of 1 MiB and one byte', send: [text(letters(MiB + 1))], close: 1009 },
    {
      name: 'five messages of 1 MiB: more than the queue holds at once',
      send: repeat(5, () => binary(bytes(MiB))),
      messages: repeat(5, () => bytes(MiB)),
    },
  ],
};

/** In so many fragments that the memory of each would count, if each was kept. */
function fragmented(payload: Buffer, size: number, make: typeof text | typeof binary): Buffer {
  const count = payload.length / size;
  return Buffer.concat(
    repeat(count, (i) => {
      const part = payload.subarray(i * size, (i + 1) * size);
      return i === 0 ? make(part, open) : more(part, { fin: i === count - 1 });
    }),
  );
}

export const manyFragments: Section = {
  name: 'many fragments',
  options: { maxPayload: 4 * MiB },
  cases: [
    [4 * MiB, 64],
    [4 * MiB, 1_024],
    [MiB / 8, 1],
  ].flatMap(([length = 0, size = 0]) => [
    {
      name: `text of ${String(length)} bytes in fragments of ${String(size)}`,
      send: [fragmented(Buffer.from(letters(length)), size, text)],
      messages: [letters(length)],
    },
    {
      name: `binary of ${String(length)} bytes in fragments of ${String(size)}`,
      send: [fragmented(bytes(length), size, binary)],
      messages: [bytes(length)],
    },
  ]),
};

export const messageKinds: Section[] = [
  {
    name: "messages: 'text'",
    options: { messages: 'text' },
    cases: [
      { name: 'a text', send: [text('a')], messages: ['a'] },
      { name: 'a binary', send: [binary('a')], ...unwanted },
      { name: 'an empty binary', send: [binary('')], ...unwanted },
      { name: 'a fragmented binary', send: [binary('a', open), more('b')], ...unwanted },
      {
        name: 'a text, then a binary',
        send: [text('a'), binary('b')],
        messages: ['a'],
        ...unwanted,
      },
    ],
  },
  {
    name: "messages: 'binary'",
    options: { messages: 'binary' },
    cases: [
      { name: 'a binary', send: [binary('a')], messages: [Buffer.from('a')] },
      { name: 'a text', send: [text('a')], ...unwanted },
      { name: 'an empty text', send: [text('')], ...unwanted },
      { name: 'a text that is no UTF-8', send: [text(Buffer.of(0xff))], close: 1007 },
      { name: 'a fragmented text', send: [text('a', open), more('b')], ...unwanted },
    ],
  },
];
