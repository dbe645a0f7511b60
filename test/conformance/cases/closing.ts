import { binary, close, encodeFrame, more, Opcode, ping, pong, text } from '../../support/raw-frames.js';
import { letters, type Case, type Section } from '../case.js';

// RFC 6455, 7.4, and IANA's registry, which has added 1012 to 1014.
const ALLOWED = [
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001, 3999, 4000, 4401, 4999,
];
const FORBIDDEN = [
  0, 1, 125, 500, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 9999, 32_768, 65_535,
];

const codes: Case[] = [
  ...ALLOWED.flatMap((code) => [
    { name: `code ${String(code)}`, send: [close(code)], close: code },
    {
      name: `code ${String(code)} with a reason`,
      send: [close(code, 'going, “bye”')],
      close: code,
      closed: { code, reason: 'going, “bye”' },
    },
  ]),
  ...FORBIDDEN.flatMap((code) => [
    { name: `forbidden code ${String(code)}`, send: [close(code)], close: 1002 },
    { name: `forbidden code ${String(code)} with a reason`, send: [close(code, 'bye')], close: 1002 },
  ]),
];

const payloads: Case[] = [
  { name: 'no code at all', send: [close()], close: 1005 },
  { name: 'one byte', send: [encodeFrame({ opcode: Opcode.close, payload: 'x' })], close: 1002 },
  ...['a', letters(122), letters(123), 'µ', 'é'.repeat(61), '😀'.repeat(30)].map((reason) => ({
    name: `a reason of ${String(Buffer.byteLength(reason))} bytes (${reason.slice(0, 4)} …)`,
    send: [close(1000, reason)],
    close: 1000,
    closed: { code: 1000, reason },
  })),
  { name: 'a reason of 124 bytes', send: [close(1000, letters(124))], close: 1002 },
  { name: 'a reason of 65,536 bytes', send: [close(1000, letters(65_536))], close: 1002 },
  { name: 'a length in 16 bits', send: [close(1000, '', { lengthBits: 16 })], close: 1002 },
  { name: 'not final', send: [close(1000, '', { fin: false })], close: 1002 },
  { name: 'not final, then a continuation', send: [close(1000, '', { fin: false }), more('')], close: 1002 },
];

const behindClose: Case[] = [
  ['a text', text('late')],
  ['a binary', binary('late')],
  ['a ping', ping('late')],
  ['a pong', pong('late')],
  ['a second close with the same code', close(1000)],
  ['a second close with another code', close(1001)],
  ['a fragment', text('late', { fin: false })],
  ['a frame without a mask', text('late', { mask: false })],
  ['a reserved opcode', encodeFrame({ opcode: 0x7 })],
  ['half a frame', text('late').subarray(0, 4)],
  ['bytes that are no frame', Buffer.alloc(300, 0xff)],
  ['256 KiB', binary(Buffer.alloc(262_144))],
].map(([name, bytes]) => ({
  name: `close, then ${name as string}`,
  send: [close(1000), bytes as Buffer],
  close: 1000,
}));

// The answers to what came before the close go out before its answer.
const beforeClose: Case[] = [
  {
    name: 'a message, then close',
    send: [text('a'), close(1000)],
    messages: ['a'],
    close: 1000,
  },
  {
    name: 'ten messages and a close in one segment',
    send: [Buffer.concat([...'0123456789'].map((digit) => text(digit)).concat(close(4000, 'done')))],
    messages: [...'0123456789'],
    close: 4000,
    closed: { code: 4000, reason: 'done' },
  },
  {
    name: 'a fragmented message, then close',
    send: [text('a', { fin: false }), more('b'), close(1001)],
    messages: ['ab'],
    close: 1001,
  },
  { name: 'a ping, then close', send: [ping('a'), close(1000)], pongs: ['a'], close: 1000 },
];

const vanished = { close: null, closed: { code: 1006 } };
const whole = text('Hello');

const tcp: Case[] = (['FIN', 'RST'] as const).flatMap((then): Case[] => [
  { name: `${then} without a word`, send: [], then, ...vanished },
  { name: `${then} behind one byte`, send: [whole.subarray(0, 1)], then, ...vanished },
  { name: `${then} behind the header`, send: [whole.subarray(0, 2)], then, ...vanished },
  { name: `${then} inside the mask`, send: [whole.subarray(0, 4)], then, ...vanished },
  { name: `${then} behind the mask`, send: [whole.subarray(0, 6)], then, ...vanished },
  { name: `${then} inside the payload`, send: [whole.subarray(0, 9)], then, ...vanished },
  {
    name: `${then} inside a 64-bit length`,
    send: [binary('', { claimedLength: 65_536n }).subarray(0, 6)],
    then,
    ...vanished,
  },
  { name: `${then} inside a control frame`, send: [ping('Hello').subarray(0, 8)], then, ...vanished },
  { name: `${then} inside a close frame`, send: [close(1000).subarray(0, 7)], then, ...vanished },
]);

const halfClosed: Case[] = [
  {
    name: 'a message, then FIN: the echo still comes',
    send: [text('a')],
    messages: ['a'],
    then: 'FIN',
    ...vanished,
  },
  {
    name: 'ten messages, then FIN: the echoes still come',
    send: [Buffer.concat([...'0123456789'].map((digit) => text(digit)))],
    messages: [...'0123456789'],
    then: 'FIN',
    ...vanished,
  },
  {
    name: 'a ping, then FIN: the pong still comes',
    send: [ping('a')],
    pongs: ['a'],
    then: 'FIN',
    ...vanished,
  },
  { name: 'close, then FIN: the answer still comes', send: [close(1000)], then: 'FIN', close: 1000 },
  {
    name: 'close with a reason, then FIN: the answer still comes',
    send: [close(4001, 'gone')],
    then: 'FIN',
    close: 4001,
    closed: { code: 4001, reason: 'gone' },
  },
];

export const closing: Section = {
  name: 'closing',
  cases: [...codes, ...payloads, ...behindClose, ...beforeClose, ...tcp, ...halfClosed],
};
