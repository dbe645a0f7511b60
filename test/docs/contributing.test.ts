import { expect, test } from 'vitest';
import { ROOMS } from '../package/rooms.js';
import { readSources } from '../package/sources.js';
import { readDocument } from './document.js';

const [picture] = readDocument('CONTRIBUTING.md').blocks.filter(({ language }) => language === 'mermaid');
const boxes = [...(picture?.code.matchAll(/^ {2}(\w+)\["(.+)"\]$/gm) ?? [])];

test('the picture of the house shows the rooms in their order, from the top to the ground', () => {
  expect(boxes.map(([, room]) => room)).toEqual([...ROOMS].reverse());
});

test('the picture names only files that stand in their room', () => {
  const files = readSources().map(({ name }) => name);
  const named = boxes.flatMap(([, room, text]) =>
    (text!.split('<br>')[1] ?? '').split(', ').map((file) => `${room}/${file}`),
  );
  expect(named.filter((file) => !/^(doors|groups|testing)\//.test(file) && !files.includes(file))).toEqual(
    [],
  );
});
