import { existsSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { readEntries } from '../../scripts/entries.js';
import { readDocuments } from '../docs/document.js';

interface Manifest {
  readonly version: string;
  readonly files: readonly string[];
  readonly scripts: Record<string, string>;
  readonly dependencies: Record<string, string>;
  readonly peerDependencies: Record<string, string>;
  readonly peerDependenciesMeta: Record<string, { optional?: boolean }>;
}

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const read = (name: string) => readFileSync(path(name), 'utf8');
const manifest = JSON.parse(read('package.json')) as Manifest;

test('ws is the only package that is installed with this one', () => {
  expect(Object.keys(manifest.dependencies)).toEqual(['ws']);
  const demanded = Object.keys(manifest.peerDependencies).filter(
    (name) => manifest.peerDependenciesMeta[name]?.optional !== true,
  );
  expect(demanded).toEqual([]);
});

/** Whether npm packs a file: by package.json, or always. */
function isPacked(name: string): boolean {
  if (/^(?:package\.json|README.*|LICENSE)$/.test(name)) return true;
  if (manifest.files.includes(`!${name}`)) return false;
  return manifest.files.some((entry) => {
    const [folder, extension] = entry.split('/*');
    if (extension === undefined) return name === entry || name.startsWith(`${entry}/`);
    return posix.dirname(name) === folder && name.endsWith(extension);
  });
}

// How the package was measured, and how to change it: users of an installed version do not need it.
const ONLY_IN_A_CLONE = [
  'CONTRIBUTING.md',
  ...['performance', 'faults', 'conformance', 'compare'].map((page) => `docs/${page}.md`),
];

test('the links of a packed document lead to packed files only', () => {
  const packed = readDocuments().filter((document) => isPacked(document.path));
  expect(packed.map((document) => document.path)).toContain('docs/api.md');
  const missing = packed.flatMap((document) =>
    document.links
      .filter(({ target }) => !/^(?:https?|mailto):|^#/.test(target))
      .map(({ target }) => posix.join(posix.dirname(document.path), target.split('#')[0] ?? ''))
      .filter((name) => !isPacked(name) && !ONLY_IN_A_CLONE.includes(name))
      .map((name) => `${document.path}: ${name}`),
  );
  expect(missing).toEqual([]);
});

test('nothing runs when the package is installed', () => {
  const names = ['preinstall', 'install', 'postinstall', 'prepare'];
  expect(names.filter((name) => name in manifest.scripts)).toEqual([]);
});

test.for(readEntries())(
  '$specifier leads to its source here, as it does for users',
  ({ specifier, file }) => {
    expect(existsSync(path(`src/${file}.ts`))).toBe(true);
    const { config } = ts.parseConfigFileTextToJson('tsconfig.json', read('tsconfig.json')) as {
      config: { compilerOptions: { paths: Record<string, string[]> } };
    };
    expect(config.compilerOptions.paths[specifier]).toEqual([`./src/${file}.ts`]);
  },
);

test('the changelog has a heading for this version', () => {
  expect(
    read('CHANGELOG.md')
      .split('\n')
      .some((line) => line.startsWith(`## ${manifest.version} `)),
  ).toBe(true);
});

test('the lock file names no registry', () => {
  expect(read('package-lock.json')).not.toContain('"resolved"');
});
