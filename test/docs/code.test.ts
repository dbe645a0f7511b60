import { existsSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { checkTypes } from './check-types.js';
import { readDocuments, root, type Block } from './document.js';

const blocks = readDocuments().flatMap((document) => document.blocks);
const of = (...languages: string[]) => blocks.filter(({ language }) => languages.includes(language));
const place = ({ path, line }: Block) => `${path}:${line}`;

test('every piece of code is in a language that something here looks at, or in one for reading', () => {
  const checked = ['ts', 'js', 'json', 'sh'];
  // Python is what one comes from. What nginx, Docker and Kubernetes read is tested where it is explained.
  const forReading = ['python', 'text', 'http', 'mermaid', 'nginx', 'dockerfile', 'yaml', 'html'];
  const others = blocks.filter(({ language }) => ![...checked, ...forReading].includes(language));
  expect(others.map((block) => `${place(block)}: ${block.language}`)).toEqual([]);
});

test('TypeScript finds no fault in any of it', { timeout: 120_000 }, () => {
  expect(of('ts').length).toBeGreaterThan(0);
  expect(checkTypes(of('ts'))).toEqual([]);
});

test('JavaScript and JSON can be parsed', () => {
  const faults = of('js', 'json').filter(({ language, code }) => {
    if (language === 'json') return ts.parseConfigFileTextToJson('a.json', code).error !== undefined;
    return (ts.transpileModule(code, { reportDiagnostics: true }).diagnostics ?? []).length > 0;
  });
  expect(faults.map(place)).toEqual([]);
});

test('commands name scripts and files that are there', () => {
  const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { scripts: object };
  const lines = of('sh').flatMap((block) => block.code.split('\n').map((line) => ({ block, line })));
  const faults = lines.filter(({ line }) => {
    const [, script = 'test'] = /\bnpm run ([\w:]+)/.exec(line) ?? [];
    const [, path = ''] = /\bvitest run ([\w./-]+)/.exec(line) ?? [];
    return !(script in scripts) || !existsSync(root + path);
  });
  expect(faults.map(({ block, line }) => `${place(block)}: ${line}`)).toEqual([]);
});
