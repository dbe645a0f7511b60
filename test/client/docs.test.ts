import { connect } from 'dwebsocket/client';
import { expect, test, vi } from 'vitest';
import { requireWebsocket } from 'dwebsocket';
import { resolveOptions } from '../../src/client/options.js';
import { readDocument } from '../docs/document.js';
import { openDocument } from '../docs/scenario.js';
import { defer } from '../support/inbox.js';
import { serve } from '../support/serve.js';
import { FakeWebSocket } from './support/fake-websocket.js';
import { PlatformWebSocket } from './support/open-client.js';

const page = openDocument('docs/client.md');

/** The rows of the tables under a heading, cell by cell. */
function readRows(heading: string): string[][] {
  const section = readDocument('docs/client.md').text.split(/^## /m);
  const rows = section.find((part) => part.startsWith(`${heading}\n`))?.split('\n') ?? [];
  return rows
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

test('the page lists the options and their defaults', () => {
  const shown = readRows('Options').map(([name, value]) => [name, value]);
  const settings = resolveOptions({ WebSocket: FakeWebSocket });
  const known = Object.entries(settings).map(([name, value]) => [`\`${name}\``, defaultOf(name, value)]);
  expect(shown).toEqual(known);
});

/** Returns the default of an option as the page shows it. */
function defaultOf(name: string, value: unknown): string {
  if (name === 'stop') return 'the rules above';
  if (name === 'WebSocket') return '`globalThis.WebSocket`';
  if (value === undefined) return '';
  if (typeof value === 'number') return `\`${value.toLocaleString('en').replaceAll(',', '_')}\``;
  return `\`${JSON.stringify(value).replaceAll('"', "'")}\``;
}

test('the page lists all members', async () => {
  const socket = connect('wss://a.test', { WebSocket: FakeWebSocket });
  const members = new Set<string>(['for']);
  for (
    let each: object = socket;
    each !== EventTarget.prototype;
    each = Object.getPrototypeOf(each) as object
  )
    for (const name of Object.getOwnPropertyNames(each)) members.add(name);
  members.delete('constructor');
  const cells = readRows('The state').map(([cell = '']) => cell);
  const named = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)/g)].map(([, name]) => name));
  expect([...named].sort()).toEqual([...members].sort());
  await socket.close();
});

test('the client and the server share schemas', async () => {
  const { exports } = await page.run('values');
  const said = defer<unknown>();
  const { port } = await serve(
    requireWebsocket(
      async ({ websocket }) => {
        said.resolve(await websocket.wait());
        await websocket.send({ from: 'ada', text: 'hi' });
      },
      { messages: 'json' },
    ),
  );
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  vi.stubGlobal('WebSocket', PlatformWebSocket);
  await (exports['greet'] as (url: string) => Promise<void>)(`ws://127.0.0.1:${port}`);
  expect(await said.promise).toEqual({ text: 'hello' });
  expect(log.mock.calls).toEqual([['ada: hi']]);
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

page.testCompleteness();
