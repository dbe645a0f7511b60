import { isUtf8 } from 'node:buffer';
import { binary, close, more, text } from '../../support/raw-frames.js';
import { cuts, hex, type Case, type Section } from '../case.js';

// The first and last code point of each length, both sides of the surrogates, and what decoders like to swallow.
const VALID: [string, string][] = [
  ['U+0000', '\u0000'],
  ['U+007F', '\u007f'],
  ['U+0080', '\u0080'],
  ['U+07FF', '\u07ff'],
  ['U+0800', '\u0800'],
  ['U+D7FF', '\ud7ff'],
  ['U+E000', '\ue000'],
  ['U+FFFD, the replacement character itself', '\ufffd'],
  ['U+FFFE, no character', '\ufffe'],
  ['U+FFFF, no character', '\uffff'],
  ['U+10000', '\u{10000}'],
  ['U+1FFFE, no character', '\u{1fffe}'],
  ['U+10FFFF', '\u{10ffff}'],
  ['a byte order mark', '\ufeff'],
  ['a byte order mark in front of text', '\ufeffHello'],
  ['U+2028 and U+2029', 'a\u2028b\u2029c'],
  ['combining marks', 'e\u0301 n\u0303'],
  ['right to left', 'שלום مرحبا'],
  ['κόσμε', 'κόσμε'],
  ['Hello-µ@ßöäüàá-UTF-8!!', 'Hello-µ@ßöäüàá-UTF-8!!'],
  ['Chinese', '这是你发来的。。。'],
  ['a family of four in one emoji', '👨‍👩‍👧‍👦'],
];

// Bytes that are no UTF-8 (Unicode 15, table 3-7), each for another reason.
const INVALID: [string, string][] = [
  ['a lone continuation byte, first', '80'],
  ['a lone continuation byte, last', 'bf'],
  ['two continuation bytes', '80bf'],
  ['C0', 'c0'],
  ['C0 80, overlong U+0000', 'c080'],
  ['C0 AF, overlong slash', 'c0af'],
  ['C1 BF, overlong U+007F', 'c1bf'],
  ['C2 without its second byte', 'c2'],
  ['C2 and a letter', 'c261'],
  ['DF without its second byte', 'df'],
  ['E0 80 AF, overlong', 'e080af'],
  ['E0 9F BF, overlong U+07FF', 'e09fbf'],
  ['E1 80 without its third byte', 'e180'],
  ['E2 82 and a letter', 'e28261'],
  ['ED A0 80, first high surrogate', 'eda080'],
  ['ED AF BF, last high surrogate', 'edafbf'],
  ['ED B0 80, first low surrogate', 'edb080'],
  ['ED BF BF, last low surrogate', 'edbfbf'],
  ['a pair of surrogates', 'eda080edb080'],
  ['EF BF without its third byte', 'efbf'],
  ['F0 80 80 AF, overlong', 'f08080af'],
  ['F0 8F BF BF, overlong U+FFFF', 'f08fbfbf'],
  ['F0 90 80 without its fourth byte', 'f09080'],
  ['F1 80 80 and a letter', 'f1808061'],
  ['F4 90 80 80, U+110000', 'f4908080'],
  ['F5 80 80 80', 'f5808080'],
  ['F8, five bytes', 'f888808080'],
  ['FC, six bytes', 'fc8480808080'],
  ['FE', 'fe'],
  ['FF', 'ff'],
  ['FE FE FF FF', 'fefeffff'],
  ['κόσμε, then a surrogate', 'cebae1bdb9cf83cebcceb5eda080'],
];

const LONG = 'a'.repeat(60); // beyond what a validator may do byte by byte before it changes to a faster way

const valid: Case[] = VALID.flatMap(([name, message]) => [
  { name: `valid: ${name}`, send: [text(message)], messages: [message] },
  {
    name: `valid: ${name}, in 60 letters`,
    send: [text(LONG + message + LONG)],
    messages: [LONG + message + LONG],
  },
]);

const invalid: Case[] = INVALID.flatMap(([name, digits]) => {
  const bytes = Buffer.from(digits, 'hex');
  const rows: Case[] = [
    { name: `invalid: ${name}`, send: [text(bytes)], close: 1007 },
    {
      name: `invalid: ${name}, behind 60 letters`,
      send: [text(Buffer.concat([Buffer.from(LONG), bytes]))],
      close: 1007,
    },
    {
      name: `invalid: ${name}, before 60 letters`,
      send: [text(Buffer.concat([bytes, Buffer.from(LONG)]))],
      close: 1007,
    },
    {
      name: `invalid: ${name}, in a final fragment`,
      send: [text('ok', { fin: false }), more(bytes)],
      close: 1007,
    },
    { name: `as binary: ${name}`, send: [binary(bytes)], messages: [bytes] },
  ];
  return rows;
});

const SPLIT = ['µ', '€', '😀', 'κό', '这是', '\u{10ffff}'].flatMap((message) =>
  cuts(Buffer.from(message)).map(([head, tail]) => ({ message, head, tail })),
);

const split: Case[] = [
  ...SPLIT.map(({ message, head, tail }) => ({
    name: `valid: ${message} in fragments ${hex(head)} | ${hex(tail)}`,
    send: [text(head, { fin: false }), more(tail)],
    messages: [message],
  })),
  // A code point may be cut between two fragments, never between two messages.
  ...SPLIT.filter(({ head }) => !isUtf8(head)).map(({ message, head, tail }) => ({
    name: `invalid: ${message} in two messages ${hex(head)} | ${hex(tail)}`,
    send: [text(head), text(tail)],
    close: 1007,
  })),
];

const splitInvalid: Case[] = INVALID.map(([name, digits]) => [name, Buffer.from(digits, 'hex')] as const)
  .filter(([, bytes]) => bytes.length > 1)
  .flatMap(([name, bytes]) =>
    cuts(bytes).map(([head, tail]) => ({
      name: `invalid: ${name}, in fragments ${hex(head)} | ${hex(tail)}`,
      send: [text(head, { fin: false }), more(tail)],
      close: 1007,
    })),
  );

const reasons: Case[] = INVALID.map(([name, digits]) => ({
  name: `invalid in a close reason: ${name}`,
  send: [close(1000, Buffer.from(digits, 'hex'))],
  close: 1007,
}));

const rows: Case[] = [
  {
    name: 'valid: every byte of three code points in a fragment of its own',
    send: [...Buffer.from('µ€😀')].map((byte, i, all) => {
      const options = { fin: i === all.length - 1 };
      return i === 0 ? text(Buffer.of(byte), options) : more(Buffer.of(byte), options);
    }),
    messages: ['µ€😀'],
  },
  {
    name: 'valid: 64 KiB of four-byte code points, cut inside one',
    send: [
      text(Buffer.from('😀'.repeat(16_384)).subarray(0, 32_770), { fin: false }),
      more(Buffer.from('😀'.repeat(16_384)).subarray(32_770)),
    ],
    messages: ['😀'.repeat(16_384)],
  },
  {
    name: 'a bad text does not spoil the good one before it',
    send: [text('good'), text(Buffer.of(0xff))],
    messages: ['good'],
    close: 1007,
  },
];

export const utf8: Section = {
  name: 'UTF-8',
  cases: [...valid, ...invalid, ...split, ...splitInvalid, ...reasons, ...rows],
};
