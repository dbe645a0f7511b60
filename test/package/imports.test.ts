import { expect, test } from 'vitest';
import { ROOMS } from './rooms.js';
import { readSources } from './sources.js';

const sources = readSources();
/** What stands beside the rooms are doors: what users import. */
const roomOf = (name: string) => (name.includes('/') ? name.split('/')[0]! : 'doors');

test('every folder of src is a room', () => {
  expect([...new Set(sources.map(({ name }) => roomOf(name)))].sort()).toEqual([...ROOMS].sort());
});

test.for(sources)('$name imports from its own room and from those below', ({ name, sources: imported }) => {
  const above = ROOMS.slice(ROOMS.indexOf(roomOf(name)) + 1);
  expect(imported.filter((each) => above.includes(roomOf(each)))).toEqual([]);
});

test('no imports run in a circle', () => {
  const byName = new Map(sources.map((source) => [source.name, source]));
  const done = new Set<string>();
  const findCircle = (name: string, path: readonly string[]): readonly string[] => {
    if (path.includes(name)) return [...path.slice(path.indexOf(name)), name];
    if (done.has(name)) return [];
    for (const next of byName.get(name)?.sources ?? []) {
      const circle = findCircle(next, [...path, name]);
      if (circle.length > 0) return circle;
    }
    done.add(name);
    return [];
  };
  const circles = sources.map(({ name }) => findCircle(name, []));
  expect(circles.find((circle) => circle.length > 0)).toBeUndefined();
});

test('no source imports anything but ws and Node itself when it runs', () => {
  const packages = new Set(sources.flatMap((source) => source.packages));
  expect([...packages].filter((name) => !name.startsWith('node:'))).toEqual(['ws']);
});
