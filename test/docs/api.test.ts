import { readdirSync, readFileSync } from 'node:fs';
import { createGroups } from 'dwebsocket/groups';
import { TestClient } from 'dwebsocket/testing';
import { Websocket } from 'dwebsocket';
import { expect, test } from 'vitest';
import { readEntries } from '../../scripts/entries.js';
import { resolveLocalOptions } from '../../src/groups/local/options.js';
import { resolveNatsOptions } from '../../src/groups/nats/options.js';
import { resolvePostgresOptions } from '../../src/groups/postgres/options.js';
import { resolveStreamOptions } from '../../src/groups/redis/options.js';
import { DEFAULT_HANDSHAKE_TIMEOUT, resolveOptions, SAME_ORIGIN } from '../../src/options/policy.js';
import { readDocument, root } from './document.js';

const { text } = readDocument('docs/api.md');
const sections = text.split(/^## /m).slice(1);

/** The rows of the tables under a heading, up to the next heading, cell by cell. */
function readRows(heading: string): string[][] {
  const section = text.split(/^#+ /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  return section
    .split('\n')
    .filter((line) => /^\| `/.test(line))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** What each row begins with: `wait` of `wait(timeout?)`. */
const namesUnder = (heading: string) =>
  readRows(heading)
    .map(([cell = '']) => /^`(\w+)/.exec(cell)?.[1])
    .sort();

/** The public members of a class, but for those of a symbol. */
const membersOf = (prototype: object) =>
  Object.getOwnPropertyNames(prototype).filter((name) => name !== 'constructor');

const codeOf = (value: unknown): string => {
  if (value === SAME_ORIGIN) return 'same origin';
  if (typeof value === 'number') return `\`${value.toLocaleString('en').replaceAll(',', '_')}\``;
  return `\`${JSON.stringify(value).replaceAll('"', "'")}\``;
};

test.for(readEntries())('the page names everything that $specifier exports', async ({ specifier }) => {
  const section = sections.find((part) => part.startsWith(`${specifier}\n`)) ?? '';
  const [firstTable = ''] = section.split(/^### /m);
  const named = [...firstTable.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name);
  const exported = Object.keys((await import(specifier)) as object);
  expect(named.sort()).toEqual(exported.sort());
});

test('the options of a route have the names and the defaults of the source', () => {
  const shown = readRows('Options of a route').map(([name, , value]) => [name, value]);
  const { values, ...policy } = resolveOptions(undefined);
  expect(values).toBeUndefined();
  const known = Object.entries(policy).map(([name, value]) => [`\`${name}\``, codeOf(value)]);
  // These two have no default: they belong to messages that are values.
  known.splice(1, 0, ['`sends`', ''], ['`invalid`', '']);
  expect(shown).toEqual(known);
});

test('so have those of the functions', () => {
  const shown = readRows('Functions').map(([name, , value]) => [name, value]);
  expect(shown).toEqual([
    ['`acceptAll`', '`false`'],
    ['`owns`', ''],
    ['`handshakeTimeout`', codeOf(DEFAULT_HANDSHAKE_TIMEOUT)],
    ['`code`', '`1001`'],
    ['`reason`', "`''`"],
    ['`timeout`', ''],
    ['`over`', ''],
    ['`max`', ''],
    ['`by`', ''],
    ['`retryAfter`', '`30`'],
  ]);
});

test('a backplane over Redis has the options and the defaults that the page names', () => {
  const shown = readRows('Options of a backplane over Redis').map(([name, value]) => [name, value]);
  const { maxLength, ...defaults } = resolveStreamOptions({ maxLength: 1 });
  expect(maxLength).toBe(1);
  const known = Object.entries(defaults).map(([name, value]) => [`\`${name}\``, codeOf(value)]);
  expect(shown.sort()).toEqual([['`maxLength`', 'must be given'], ...known].sort());
});

test('so have the other backplanes', () => {
  const shown = readRows('Options of the other backplanes').map(([name, value]) => [name, value]);
  const { path, isDefault, ...local } = resolveLocalOptions({ path: '/tmp/groups' });
  expect([path, isDefault]).toEqual(['/tmp/groups', false]);
  for (const defaults of [
    resolveNatsOptions({}),
    resolvePostgresOptions({}),
    { ...local, prefix: 'dwebsocket' },
  ]) {
    const known = Object.entries(defaults).map(([name, value]) => [`\`${name}\``, codeOf(value)]);
    expect(shown.sort()).toEqual(known.sort());
  }
});

test('a websocket has the members that the page names', () => {
  // `for await` is the member whose name is a symbol.
  expect(namesUnder('The websocket')).toEqual([...membersOf(Websocket.prototype), 'for'].sort());
});

test('groups and a group have the members that the page names', () => {
  const groups = createGroups();
  const group = groups.group('a');
  const members = [groups, group].flatMap((object) => membersOf(Object.getPrototypeOf(object) as object));
  expect(namesUnder('Groups and a group')).toEqual([...members, 'name', 'on'].sort());
});

test('the client of a test has the members of a websocket, and those that the page names', () => {
  // A server hands its websocket over, and knows when a token expires.
  const ofServers = ['closeAt', 'request', 'handOver', 'stream', 'readable', 'writable'];
  const members = membersOf(Websocket.prototype).filter((name) => !ofServers.includes(name));
  expect([...members, ...namesUnder('The client of a test')].sort()).toEqual(
    membersOf(TestClient.prototype).sort(),
  );
});

test('connect takes the options that the page names', () => {
  const source = readFileSync(`${root}src/testing/client-options.ts`, 'utf8');
  const listOf = (name: string) =>
    [
      ...(new RegExp(`^const ${name} = \\[([^\\]]*)\\]`, 'm').exec(source)?.[1] ?? '').matchAll(/'(\w+)'/g),
    ].map(([, option]) => option);
  expect(namesUnder('Options of connect')).toEqual(listOf('OWN').sort());
  const [, shared = ''] = /^`connect` takes these options of a route \((.*)\), and:$/m.exec(text) ?? [];
  expect(shared).toBe(
    listOf('SHARED')
      .map((option) => `\`${option}\``)
      .join(', '),
  );
});

test('each code of an error that is in the source is on the page, and no other', () => {
  const paths = readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' });
  const source = paths
    .filter((path) => path.endsWith('.ts'))
    .map((path) => readFileSync(`${root}src/${path}`, 'utf8'))
    .join('\n');
  const codes = new Set([...source.matchAll(/'(ERR_WEBSOCKET_[A-Z_]*[A-Z])'/g)].map(([, code]) => code));
  expect(namesUnder('Errors')).toEqual([...codes].sort());
});
