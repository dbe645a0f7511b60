import { expect, test } from 'vitest';
import { cutText, isBytes } from '../../src/shared/bytes.js';

test.for([
  [Buffer.from('a')],
  [new Uint8Array(1)],
  [new Float64Array(1)],
  [new DataView(new ArrayBuffer(1))],
  [new ArrayBuffer(1)],
  [new SharedArrayBuffer(1)],
])('%o is bytes', ([value]) => {
  expect(isBytes(value)).toBe(true);
});

test.for([[undefined], [null], ['a'], [1], [{}], [[1, 2]], [new Blob(['a'])], [() => undefined]])(
  '%o is not',
  ([value]) => {
    expect(isBytes(value)).toBe(false);
  },
);

test.for([
  ['', 5, ''],
  ['abcde', 5, 'abcde'],
  ['abcdef', 5, 'ab…'],
  ['éé', 4, 'éé'],
  ['ééé', 5, 'é…'],
  ['😀😀', 7, '😀…'],
  ['a\ud83d', 4, 'a\ufffd'],
  ['\ud83d\ud83d', 5, '…'],
] as const)('%j cut to %i bytes is %j', ([text, max, expected]) => {
  expect(cutText(text, max)).toBe(expected);
});
