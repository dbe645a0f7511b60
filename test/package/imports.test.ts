import { expect, test } from 'vitest';
import { readSources, type Source } from './sources.js';

/** The house, from the ground up: a file imports only what stands before it, types included. */
const GROUND_FLOOR = [
  // words and tools that everything shares
  ...['errors', 'close-codes', 'notices', 'real-timers', 'checks', 'deflate', 'options'],
  // a websocket, and the parts of it that know one thing each
  ...[
    'pieces',
    'unmask',
    'reader',
    'connection',
    'frame',
    'arguments',
    'heartbeat',
    'later',
    'message-queue',
    'messages',
    'outbox',
    'pending-pings',
  ],
  ...['diagnostics', 'websocket', 'diagnostics-messages'],
  // from an upgrade to the app, and from there to a websocket
  ...[
    'handshake',
    'http-channels',
    'response',
    'server-state',
    'detached-connection',
    'plain-http',
    'upgrade',
    'shutdown',
    'replace-method',
    'closing-methods',
    'neighbours',
    'attachment',
    'attach',
  ],
  ...['types', 'express', 'serve-http', 'request', 'aborts', 'method-guard', 'exchange', 'accept'],
  // what users call
  ...['middleware', 'wrappers', 'with-defaults', 'index'],
];

/** Above it. A room may import from the rooms before it, and from the ground floor. */
const ROOMS = ['groups', 'testing'];

const sources = readSources();
const roomOf = ({ name }: Pick<Source, 'name'>) => ROOMS.findIndex((room) => name.startsWith(`${room}/`));

test('every file on the ground floor has its place', () => {
  const names = sources.filter((source) => roomOf(source) === -1).map(({ name }) => name);
  expect([...GROUND_FLOOR].sort()).toEqual(names.sort());
});

test.for(sources)('$name imports only what stands below it', (source) => {
  const floor = GROUND_FLOOR.indexOf(source.name);
  const above = source.sources.filter((name) => {
    if (roomOf(source) === -1) return roomOf({ name }) !== -1 || GROUND_FLOOR.indexOf(name) >= floor;
    return roomOf({ name }) > roomOf(source);
  });
  expect(above).toEqual([]);
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
