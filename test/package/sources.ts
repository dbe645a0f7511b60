import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('../../src', import.meta.url));

export interface Source {
  /** Its path in `src`, without the extension: `groups/index`. */
  readonly name: string;
  /** The sources that it imports, types included. */
  readonly sources: readonly string[];
  /** The packages and Node modules that it imports when it runs. */
  readonly packages: readonly string[];
}

/** Every file of `src`, with what it imports. */
export function readSources(): Source[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts'))
    .map(readSource)
    .sort((a, b) => a.name.localeCompare(b.name));
}

function readSource(path: string): Source {
  const text = readFileSync(`${root}/${path}`, 'utf8');
  const folder = posix.dirname(path);
  return {
    name: withoutExtension(path),
    sources: listImports(text)
      .filter(isSource)
      .map((specifier) => withoutExtension(posix.join(folder, specifier))),
    packages: listImports(eraseTypes(text)).filter((specifier) => !isSource(specifier)),
  };
}

function listImports(text: string): string[] {
  return ts.preProcessFile(text).importedFiles.map(({ fileName }) => fileName);
}

function eraseTypes(text: string): string {
  const { ESNext } = ts.ModuleKind;
  return ts.transpile(text, { module: ESNext, target: ts.ScriptTarget.ESNext, verbatimModuleSyntax: true });
}

const isSource = (specifier: string) => specifier.startsWith('.');
const withoutExtension = (path: string) => path.replace(/\.[jt]s$/, '');
