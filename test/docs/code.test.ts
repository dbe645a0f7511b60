import { existsSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { checkTypes, SETTINGS } from './check-types.js';
import { COMPILED_ELSEWHERE, readDocuments, root, type Block } from './document.js';

const blocks = readDocuments().flatMap((document) => document.blocks);
const of = (...languages: string[]) => blocks.filter(({ language }) => languages.includes(language));
const place = ({ path, line }: Block) => `${path}:${line}`;

test('every piece of code is in a language that something here looks at, or in one for reading', () => {
  const checked = ['ts', 'js', 'json', 'sh'];
  // Python is what one comes from. test/proxy runs what is for nginx, test/groups what is for PostgreSQL; the rest is not run.
  const forReading = ['python', 'text', 'http', 'mermaid', 'nginx', 'sql', 'dockerfile', 'yaml', 'html'];
  // The proxies themselves run these (compatibility/clients).
  const forProxies = ['haproxy', 'caddyfile', 'apache', 'ini', 'vcl'];
  // Chromium runs these (compatibility/pages).
  const forPages = ['jsx', 'vue'];
  const known = [...checked, ...forReading, ...forProxies, ...forPages];
  const others = blocks.filter(({ language }) => !known.includes(language));
  expect(others.map((block) => `${place(block)}: ${block.language}`)).toEqual([]);
});

test.for(Object.entries(SETTINGS))(
  'TypeScript finds no fault in any of it, %s',
  { timeout: 120_000 },
  ([, settings]) => {
    // Chinese documents have the same code (chinese.test.ts), and compiling takes a while.
    const english = of('ts').filter(
      ({ path }) => !path.endsWith('.zh-CN.md') && !COMPILED_ELSEWHERE.includes(path),
    );
    expect(english.length).toBeGreaterThan(0);
    expect(checkTypes(english, settings)).toEqual([]);
  },
);

test('JavaScript and JSON can be parsed', () => {
  const faults = of('js', 'json').filter(({ language, code }) => {
    if (language === 'json') return ts.parseConfigFileTextToJson('a.json', code).error !== undefined;
    return (ts.transpileModule(code, { reportDiagnostics: true }).diagnostics ?? []).length > 0;
  });
  expect(faults.map(place)).toEqual([]);
});

test('commands name scripts and files that are there, and work in a fresh clone', () => {
  const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { scripts: object };
  // Commands stand in the text as well: `npm test -- test/docs`.
  const lines = readDocuments().flatMap(({ path, text }) =>
    text.split('\n').map((line, i) => ({ place: `${path}:${i + 1}`, line })),
  );
  const faults = lines.filter(({ line }) => {
    const names = [...line.matchAll(/\bnpm run ([\w:]+)/g)].map(([, name]) => name ?? '');
    const paths = [...line.matchAll(/\bnpm test --((?: [\w.-]+\/[\w./-]*)+)/g)].flatMap(([, list = '']) =>
      list.trim().split(' '),
    );
    // It installs nothing: where nobody has run `npm test` before, it fails.
    if (/\bvitest run\b/.test(line) && !line.includes('node scripts/setup.mjs')) return true;
    return !names.every((name) => name in scripts) || !paths.every((path) => existsSync(root + path));
  });
  expect(faults.map(({ place, line }) => `${place}: ${line}`)).toEqual([]);
});
