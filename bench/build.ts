import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const bench = fileURLToPath(new URL('.', import.meta.url));
const root = dirname(dirname(join(bench, 'x')));
const out = join(bench, 'dist');

/** The compiled entry files of the child processes. */
export const modules = {
  server: new URL('dist/server.js', import.meta.url),
  load: new URL('dist/load/main.js', import.meta.url),
  crowdServer: new URL('dist/crowd-server.js', import.meta.url),
};

/** Returns the path of the program `bun` that npm installed. */
export function bunBinary(): string {
  return join(bench, 'node_modules', '.bin', 'bun');
}

/**
 * Compiles the benchmark's own TypeScript to plain JavaScript. A loader that compiles at run time (and names every
 * function for it) would add its own cost to the results.
 */
export function compileBench(): void {
  rmSync(out, { recursive: true, force: true });
  // A recursive readdir would follow the link to the package, which contains this folder again.
  for (const source of ts.sys.readDirectory(bench, ['.ts'], ['node_modules'])) {
    const { outputText } = ts.transpileModule(readFileSync(source, 'utf8'), {
      compilerOptions: {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ESNext,
        verbatimModuleSyntax: true,
      },
    });
    const file = join(out, relative(bench, source).replace(/\.ts$/, '.js'));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, outputText);
  }
}

/**
 * Links `import 'dwebsocket'` to the built package, as a user gets it. This is the package of this checkout, built again
 * when its source has changed. `BENCH_PACKAGE=../other npm run bench -- echo` measures another one.
 */
export function linkPackage(): void {
  const link = join(bench, 'node_modules', 'dwebsocket');
  const other = process.env.BENCH_PACKAGE;
  if (other === undefined && isStale()) {
    execFileSync(process.execPath, ['--import', 'tsx', 'scripts/build.ts'], {
      cwd: root,
      stdio: ['ignore', 2, 2],
    });
  }
  rmSync(link, { force: true, recursive: true });
  symlinkSync(other === undefined ? root : resolve(other), link);
}

function isStale(): boolean {
  const built = statSync(join(root, 'dist', 'index.mjs'), { throwIfNoEntry: false });
  if (built === undefined) return true;
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
  return sources.some((file) => statSync(join(root, 'src', file)).mtimeMs > built.mtimeMs);
}
