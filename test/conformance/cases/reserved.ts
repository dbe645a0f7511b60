import { encodeFrame, Opcode, ping, text } from '../../support/raw-frames.js';
import { repeat, type Case, type Section } from '../case.js';

const RESERVED_OPCODES = [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf];
const NAMES = Object.entries(Opcode);

// 1 to 7: every way to set RSV1 (4), RSV2 (2) and RSV3 (1). No extension has been agreed on here.
const bits: Case[] = repeat(7, (i) => i + 1).flatMap((rsv) =>
  NAMES.map(([name, opcode]) => ({
    name: `${name} with the reserved bits ${rsv.toString(2).padStart(3, '0')}`,
    send: [
      ...(opcode === Opcode.continuation ? [text('a', { fin: false })] : []),
      encodeFrame({ opcode, rsv, payload: opcode === Opcode.close ? Buffer.from([3, 0xe8]) : 'b' }),
    ],
    close: 1002,
  })),
);

const opcodes: Case[] = RESERVED_OPCODES.flatMap((opcode) => {
  const name = `opcode ${opcode.toString(16)}`;
  return [
    { name: `${name}, empty`, send: [encodeFrame({ opcode })], close: 1002 },
    { name: `${name}, with a payload`, send: [encodeFrame({ opcode, payload: 'x' })], close: 1002 },
    { name: `${name}, first of two fragments`, send: [encodeFrame({ opcode, fin: false })], close: 1002 },
    {
      name: `${name} between two fragments`,
      send: [text('a', { fin: false }), encodeFrame({ opcode })],
      close: 1002,
    },
  ];
});

const rows: Case[] = [
  {
    name: 'a reserved bit behind a good message and a ping',
    send: [text('a'), ping('b'), text('c', { rsv: 2 })],
    messages: ['a'],
    pongs: ['b'],
    close: 1002,
  },
  {
    name: 'a reserved opcode behind a good message; what follows is not read',
    send: [text('a'), encodeFrame({ opcode: 0x5 }), text('b'), ping('c')],
    messages: ['a'],
    close: 1002,
  },
];

export const reserved: Section = { name: 'reserved bits and opcodes', cases: [...bits, ...opcodes, ...rows] };
