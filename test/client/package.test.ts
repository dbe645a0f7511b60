import { build } from 'esbuild';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { readSources } from '../package/sources.js';

const root = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

test('the client has at most 3,000 bytes, minified and compressed, as README and docs/client.md say', async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: [root('src/client/index.ts')],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    metafile: true,
  });
  const size = gzipSync(outputFiles[0]!.contents, { level: 9 }).length;
  console.log(`dwebsocket/client: ${size} bytes`);
  expect(size).toBeLessThanOrEqual(3_000);
  // It was built for the browser, which has no module to import.
  expect(Object.values(metafile.outputs).flatMap(({ imports }) => imports)).toEqual([]);
  for (const page of ['README.md', 'docs/client.md'])
    expect(readFileSync(root(page), 'utf8')).toMatch(/3,000 bytes/);
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
