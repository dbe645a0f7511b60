import { binary, encodeFrame, more, Opcode, ping, pong, text } from '../../support/raw-frames.js';
import { bytes, letters, repeat, type Case, type Section } from '../case.js';

const pings: Case[] = [0, 1, 2, 5, 64, 124, 125].flatMap((length) => [
  { name: `ping with ${String(length)} bytes`, send: [ping(bytes(length))], pongs: [bytes(length)] },
  { name: `pong nobody asked for, with ${String(length)} bytes`, send: [pong(bytes(length))] },
]);

const tooLong: Case[] = (
  [
    [126, 16],
    [127, 16],
    [125, 16], // the length is allowed, the form is not: a control frame has 7 bits (5.5)
    [65_535, 16],
    [65_536, 64],
  ] as const
).flatMap(([length, lengthBits]) =>
  ([Opcode.ping, Opcode.pong] as const).map((opcode) => ({
    name: `${opcode === Opcode.ping ? 'ping' : 'pong'} with ${String(length)} bytes in ${String(lengthBits)} bits`,
    send: [encodeFrame({ opcode, payload: bytes(length), lengthBits })],
    close: 1002,
  })),
);

const fragmented: Case[] = [ping, pong].flatMap((make) => {
  const name = make === ping ? 'ping' : 'pong';
  return [
    { name: `first fragment of a ${name}`, send: [make('x', { fin: false })], close: 1002 },
    { name: `empty first fragment of a ${name}`, send: [make('', { fin: false })], close: 1002 },
    {
      name: `${name} in two fragments`,
      send: [make('x', { fin: false }), more('y')],
      close: 1002,
    },
    {
      name: `fragment of a ${name} between the fragments of a message`,
      send: [text('a', { fin: false }), make('x', { fin: false }), more('b')],
      close: 1002,
    },
  ];
});

const rows: Case[] = [
  { name: 'ping with text beyond ASCII', send: [ping('µ-€-😀')], pongs: ['µ-€-😀'] },
  {
    name: 'ping with bytes that are no UTF-8',
    send: [ping(Buffer.from([0xff, 0xfe, 0x80]))],
    pongs: [Buffer.from([0xff, 0xfe, 0x80])],
  },
  { name: 'ten pings', send: repeat(10, (i) => ping(String(i))), pongs: repeat(10, String) },
  {
    name: '100 pings in one segment',
    send: [Buffer.concat(repeat(100, (i) => ping(String(i))))],
    pongs: repeat(100, String),
  },
  {
    name: '100 pings of 125 bytes in one segment',
    send: [Buffer.concat(repeat(100, (i) => ping(letters(122) + String(i + 100))))],
    pongs: repeat(100, (i) => letters(122) + String(i + 100)),
  },
  { name: '100 pongs nobody asked for', send: [Buffer.concat(repeat(100, (i) => pong(String(i))))] },
  { name: 'pong, then ping', send: [pong('a'), ping('b')], pongs: ['b'] },
  { name: 'pong, then a message', send: [pong('a'), text('b')], messages: ['b'] },
  {
    name: 'ping before and behind a message',
    send: [ping('1'), text('a'), ping('2')],
    messages: ['a'],
    pongs: ['1', '2'],
  },
  {
    name: 'pings between whole messages',
    send: repeat(20, (i) => (i % 2 ? ping(String(i)) : text(String(i)))),
    messages: repeat(10, (i) => String(i * 2)),
    pongs: repeat(10, (i) => String(i * 2 + 1)),
  },
  {
    name: 'ping between two fragments',
    send: [text('Hel', { fin: false }), ping('?'), more('lo')],
    messages: ['Hello'],
    pongs: ['?'],
  },
  {
    name: 'pong between two fragments',
    send: [text('Hel', { fin: false }), pong('?'), more('lo')],
    messages: ['Hello'],
  },
  {
    name: 'ping of 125 bytes between two fragments of 64 KiB',
    send: [binary(bytes(65_536), { fin: false }), ping(bytes(125)), more(bytes(65_537))],
    messages: [Buffer.concat([bytes(65_536), bytes(65_537)])],
    pongs: [bytes(125)],
  },
  {
    name: 'ping behind each of five fragments',
    send: [
      text('0', { fin: false }),
      ...repeat(4, (i) => [ping(String(i)), more(String(i + 1), { fin: i === 3 })]).flat(),
    ],
    messages: ['01234'],
    pongs: repeat(4, String),
  },
  {
    name: '50 pings between two fragments',
    send: [text('Hel', { fin: false }), ...repeat(50, (i) => ping(String(i))), more('lo')],
    messages: ['Hello'],
    pongs: repeat(50, String),
  },
  {
    name: 'ping and pong between two fragments inside a code point',
    send: [text(Buffer.from([0xe2, 0x82]), { fin: false }), ping('p'), pong('q'), more(Buffer.from([0xac]))],
    messages: ['€'],
    pongs: ['p'],
  },
];

export const controlFrames: Section = {
  name: 'pings and pongs',
  cases: [...pings, ...tooLong, ...fragmented, ...rows],
};
