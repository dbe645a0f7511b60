import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const bench = fileURLToPath(new URL('.', import.meta.url));
const root = dirname(dirname(join(bench, 'x')));
const out = join(bench, 'dist');

/** Where a compiled child process begins. */
export const modules = {
  server: new URL('dist/server.js', import.meta.url),
  load: new URL('dist/load/main.js', import.meta.url),
  crowdServer: new URL('dist/crowd-server.js', import.meta.url),
};

/** The program `bun` that npm has installed. */
export function bunBinary(): string {
  return join(bench, 'node_modules', '.bin', 'bun');
}

/**
 * Turns the benchmark's own TypeScript into plain JavaScript: a loader that does so on the way (and names every
 * function for it) would be measured, too.
 */
export function compileBench(): void {
  rmSync(out, { recursive: true, force: true });
  // Not readdir's recursion, which follows the link to the package, and its own folder in it, time and again.
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
 * `import 'dwebsocket'` means the built package, as a user gets it: that beside us, built anew when its source has
 * changed, or another one, to compare two (`BENCH_PACKAGE=../other npm run bench -- echo`).
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
