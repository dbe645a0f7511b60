import { binary, close, more, ping, text } from '../../support/raw-frames.js';
import { bytes, letters, repeat, type Case, type Data, type Section } from '../case.js';

const open = { fin: false };

/** `parts` as one message of as many frames. */
function fragments(start: typeof text, parts: Data[]): Buffer[] {
  return parts.map((part, i) => (i === 0 ? start : more)(part, { fin: i === parts.length - 1 }));
}

const shapes: Case[] = [
  ['two fragments', ['ab', 'cd']],
  ['three fragments', ['ab', 'cd', 'ef']],
  ['two empty fragments', ['', '']],
  ['five empty fragments', ['', '', '', '', '']],
  ['an empty first fragment', ['', 'abc']],
  ['an empty last fragment', ['abc', '']],
  ['an empty fragment in the middle', ['ab', '', 'c']],
  ['empty fragments around one that is not', ['', '', 'abc', '', '']],
  ['fragments of 1, 126 and 65,536 bytes', ['a', letters(126), letters(65_536)]],
  ['fragments of 65,536, 126 and 1 bytes', [letters(65_536), letters(126), 'a']],
  ['1,000 fragments of one byte', letters(1_000).split('')],
  ['100 fragments of 1,000 bytes', repeat(100, (i) => letters(900 + i))],
].flatMap(([name, parts]) => {
  const strings = parts as string[];
  const whole = strings.join('');
  return [
    { name: `text in ${name as string}`, send: fragments(text, strings), messages: [whole] },
    { name: `binary in ${name as string}`, send: fragments(binary, strings), messages: [Buffer.from(whole)] },
  ];
});

const sizes: Case[] = [64, 256, 1_024, 4_096, 16_384, 65_536, 262_144].map((size) => ({
  name: `512 KiB in fragments of ${String(size)} bytes`,
  send: fragments(
    binary,
    repeat(524_288 / size, (i) => bytes(524_288).subarray(i * size, (i + 1) * size)),
  ),
  messages: [bytes(524_288)],
}));

const wrongOrder: Case[] = [
  { name: 'a continuation of nothing, final', send: [more('a')] },
  { name: 'a continuation of nothing, not final', send: [more('a', open)] },
  { name: 'an empty continuation of nothing', send: [more('')] },
  { name: 'a continuation of nothing, then a message', send: [more('a', open), text('b')] },
  { name: 'text inside a fragmented text', send: [text('a', open), text('b')] },
  { name: 'text, not final, inside a fragmented text', send: [text('a', open), text('b', open)] },
  { name: 'binary inside a fragmented text', send: [text('a', open), binary('b')] },
  { name: 'text inside a fragmented binary', send: [binary('a', open), text('b')] },
  { name: 'binary inside a fragmented binary', send: [binary('a', open), binary('b')] },
  { name: 'binary, not final, inside a fragmented binary', send: [binary('a', open), binary('b', open)] },
  { name: 'text behind two fragments of a text', send: [text('a', open), more('b', open), text('c')] },
  { name: 'text behind an empty fragment', send: [text('', open), text('c')] },
].map((row) => ({ ...row, close: 1002 }));

const behindMessages: Case[] = [
  { name: 'a continuation behind a whole message', send: [text('a'), more('b')] },
  { name: 'a continuation behind a whole message, not final', send: [text('a'), more('b', open)] },
  { name: 'one continuation too many', send: [text('a', open), more('b'), more('c')], messages: ['ab'] },
].map((row) => ({ messages: ['a'], ...row, close: 1002 }));

const rows: Case[] = [
  {
    name: 'ten fragmented messages, text and binary by turns',
    send: repeat(10, (i) => fragments(i % 2 ? text : binary, [`${String(i)}a`, 'b', 'c'])).flat(),
    messages: repeat(10, (i) => (i % 2 ? `${String(i)}abc` : Buffer.from(`${String(i)}abc`))),
  },
  {
    name: 'fragmented and whole messages by turns',
    send: repeat(20, (i) => (i % 2 ? [text(String(i))] : fragments(text, [String(i), '-', '']))).flat(),
    messages: repeat(20, (i) => (i % 2 ? String(i) : `${String(i)}-`)),
  },
  {
    name: 'all fragments of a message and the next message in one segment',
    send: [Buffer.concat([...fragments(text, ['a', 'b', 'c']), text('d')])],
    messages: ['abc', 'd'],
  },
  {
    name: 'close between two fragments: the half message is dropped',
    send: [text('a', open), close(1000), more('b')],
    close: 1000,
  },
  {
    name: 'ping, then close between two fragments',
    send: [binary('a', open), ping('p'), close(1001)],
    pongs: ['p'],
    close: 1001,
  },
  {
    name: 'FIN between two fragments',
    send: [text('a', open)],
    then: 'FIN',
    close: null,
    closed: { code: 1006 },
  },
  {
    name: 'RST between two fragments',
    send: [text('a', open)],
    then: 'RST',
    close: null,
    closed: { code: 1006 },
  },
];

export const fragmentation: Section = {
  name: 'fragmentation',
  cases: [...shapes, ...sizes, ...wrongOrder, ...behindMessages, ...rows],
};
