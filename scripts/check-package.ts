/**
 * Checks the package as users get it: packs `dist`, lints the tarball, installs it in a fresh folder, and uses it from
 * ESM, from CommonJS and from TypeScript.
 *
 *     npm run build && npm run check:package [-- other/node another/node]
 *
 * The consumer runs on this Node and on each named one. Needs the npm registry.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readEntries } from './entries.js';

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly dependencies?: Record<string, string> }>>;
}

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
  readonly scripts?: Record<string, string>;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const fixtures = join(root, 'scripts/consumer');
const specifiers = readEntries().map(({ specifier }) => specifier);
const nodes = [process.execPath, ...process.argv.slice(2)];

const folder = mkdtempSync(join(tmpdir(), 'dwebsocket-consumer-'));
try {
  const packed = pack();
  const tarball = join(folder, packed.filename);
  checkFiles(packed);
  run(root, 'node_modules/.bin/publint', 'run', '--strict', tarball);
  run(root, 'node_modules/.bin/attw', tarball, '--format', 'table-flipped', '--no-color');
  installConsumer(tarball);
  for (const node of nodes) useFromJavaScript(node);
  useFromTypeScript();
  report(packed);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function pack(): Packed {
  if (!existsSync(join(root, 'dist/index.js'))) throw new Error('dist is missing; run npm run build first');
  const output = npm(root, 'pack', '--json', '--ignore-scripts', '--pack-destination', folder);
  const [packed] = JSON.parse(output) as Packed[];
  if (packed === undefined) throw new Error(`npm pack created no tarball; it printed: ${output}`);
  return packed;
}

/** Checks that the tarball has only files for users, and that installing it runs no script. */
function checkFiles({ files }: Packed): void {
  const wanted =
    /^dist\/.+\.(js|mjs|ts|mts)$|^dist\/package\.json$|^docs\/[^/]+\.(md|svg)$|^(package\.json|(README(\.zh-CN)?|CHANGELOG|SECURITY)\.md|LICENSE)$/;
  const paths = files.map(({ path }) => path);
  const strays = paths.filter((path) => !wanted.test(path));
  if (strays.length > 0)
    throw new Error(`the tarball has files that are not for users: ${strays.join(', ')}; exclude them`);
  for (const path of [
    'README.md',
    'CHANGELOG.md',
    'LICENSE',
    'docs/api.md',
    'dist/index.js',
    'dist/index.mjs',
  ]) {
    if (!paths.includes(path))
      throw new Error(`${path} is missing in the tarball; add it to "files" of package.json`);
  }
  const { scripts = {} } = readManifest();
  for (const name of ['preinstall', 'install', 'postinstall']) {
    if (name in scripts)
      throw new Error(`package.json has a script that runs on installation; remove "${name}"`);
  }
}

function installConsumer(tarball: string): void {
  const { dependencies, devDependencies } = readManifest();
  const versions = { ...devDependencies, ...dependencies };
  const names = ['express', 'ws', 'typescript', '@types/express', '@types/node'];
  writeFileSync(join(folder, 'package.json'), '{ "name": "consumer", "private": true }\n');
  npm(
    folder,
    'install',
    '--no-audit',
    '--no-fund',
    tarball,
    ...names.map((name) => `${name}@${String(versions[name])}`),
  );
  for (const file of ['talk.cjs', 'esm.mjs', 'commonjs.cjs'])
    copyFileSync(join(fixtures, file), join(folder, file));
  for (const file of ['app.mts', 'app.cts']) copyFileSync(join(fixtures, 'app.ts'), join(folder, file));
  copyFileSync(join(fixtures, 'bare.ts'), join(folder, 'bare.mts'));
}

function useFromJavaScript(node: string): void {
  run(folder, node, 'esm.mjs', ...specifiers);
  run(folder, node, 'commonjs.cjs');
  console.log(
    `used from ESM and CommonJS on Node ${execFileSync(node, ['-v'], { encoding: 'utf8' }).trim()}`,
  );
}

/** Compiles strictly and without `skipLibCheck`, with each way to resolve modules, and runs the output. */
function useFromTypeScript(): void {
  const require = createRequire(join(folder, 'package.json'));
  const strict = [
    '--strict',
    '--exactOptionalPropertyTypes',
    '--noUncheckedIndexedAccess',
    '--esModuleInterop',
  ];
  const compile = (...options: string[]) =>
    run(
      folder,
      process.execPath,
      require.resolve('typescript/bin/tsc'),
      ...strict,
      '--target',
      'es2022',
      '--types',
      'node',
      ...options,
    );

  compile('--noEmit', '--module', 'preserve', '--moduleResolution', 'bundler', 'app.mts', 'app.cts');
  compile('--noEmit', '--module', 'node16', 'app.mts', 'app.cts');
  compile('--module', 'nodenext', 'app.mts', 'app.cts');
  for (const file of ['app.mjs', 'app.cjs']) run(folder, process.execPath, file);
  console.log('used from TypeScript: bundler, node16, nodenext');

  for (const name of ['express', 'express-serve-static-core']) {
    rmSync(join(folder, 'node_modules/@types', name), { recursive: true });
  }
  compile('--module', 'nodenext', 'bare.mts');
  run(folder, process.execPath, 'bare.mjs');
  console.log('used from TypeScript without the types of Express');
}

function report({ size, unpackedSize }: Packed): void {
  const lock = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')) as Lock;
  const dependencies = [...collectDependencies(lock, 'dwebsocket')];
  const sizes = [size, unpackedSize].map((bytes) => Math.round(bytes / 1000));
  const [packed, unpacked] = sizes;
  console.log(
    `The package: ${packed} kB packed, ${unpacked} kB unpacked; ` +
      `${dependencies.length} transitive dependencies: ${dependencies.join(', ')}`,
  );
  for (const file of ['README.md', 'README.zh-CN.md']) {
    // A README can contain other sizes, too. Those of the package are in the line that names this script.
    const lines = readFileSync(join(root, file), 'utf8').split('\n');
    const line = lines.find((text) => text.includes('check:package')) ?? '';
    const said = [...line.matchAll(/(\d+) kB/g)].map(([, kilobytes]) => Number(kilobytes));
    // Five per cent off is near enough: one more line of code must not change two documents.
    const isNear = sizes.every((kilobytes, index) => Math.abs((said[index] ?? 0) / kilobytes - 1) < 0.05);
    if (!isNear)
      throw new Error(`${file} says ${said.join(' and ')} kB; write ${packed} kB and ${unpacked} kB`);
  }
}

function collectDependencies(lock: Lock, name: string, found = new Set<string>()): Set<string> {
  for (const dependency of Object.keys(lock.packages[`node_modules/${name}`]?.dependencies ?? {})) {
    if (found.has(dependency)) continue;
    collectDependencies(lock, dependency, found.add(dependency));
  }
  return found;
}

function readManifest(): Manifest {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
}

function run(cwd: string, command: string, ...args: string[]): void {
  execFileSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
}

function npm(cwd: string, ...args: string[]): string {
  return execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}
