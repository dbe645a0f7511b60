import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { readSources } from '../package/sources.js';
import { bundleClient } from '../../scripts/bundle-client.js';

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');

test('the client has at most 3 KB, minified and compressed, as the documents say', () => {
  expect(gzipSync(bundleClient({ minify: true }), { level: 9 }).length).toBeLessThanOrEqual(3_000);
  for (const page of ['README.md', 'README.zh-CN.md', 'docs/client.md']) expect(read(page)).toMatch(/3 KB/);
});

test('no other room imports the client, and the client imports only types from other rooms', () => {
  const sources = readSources();
  const isClient = (name: string) => name.startsWith('client/');
  const importers = sources.filter(({ name, sources: all }) => !isClient(name) && all.some(isClient));
  expect(importers.map(({ name }) => name)).toEqual([]);
  const client = sources.filter(({ name }) => isClient(name));
  const others = client.flatMap((source) => source.sources).filter((name) => !isClient(name));
  expect([...new Set(others)]).toEqual(['shared/standard-schema']);
  expect(client.flatMap(({ packages }) => packages)).toEqual([]);
});
