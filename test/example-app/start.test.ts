import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, onTestFinished, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** The packages that a file imports, and those that the files import which it imports. */
function readPackages(file: string, packages = new Set<string>(), seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return packages;
  seen.add(file);
  for (const { fileName } of ts.preProcessFile(readFileSync(file, 'utf8')).importedFiles) {
    if (fileName.startsWith('.')) {
      readPackages(join(dirname(file), fileName.replace(/\.js$/, '.ts')), packages, seen);
    } else if (!fileName.startsWith('node:')) {
      packages.add(fileName.split('/')[0]!);
    }
  }
  return packages;
}

test('npm start installs the packages that the example app imports', () => {
  const script = readFileSync(`${root}scripts/start.mjs`, 'utf8');
  const [, always = ''] = /const PACKAGES = \[(.*)\];/.exec(script) ?? [];
  const [, withRedis = ''] = /\[\.\.\.PACKAGES, (.*?)\]/.exec(script) ?? [];
  const installed = [...`${always}, ${withRedis}`.matchAll(/'([\w-]+)'/g)].map(([, name]) => name);
  const imported = readPackages(`${root}example-app/server.ts`);
  // This package is what stands in src, and tsx runs it all.
  imported.delete('dwebsocket');
  expect(installed.sort()).toEqual([...imported, 'tsx'].sort());
});

test('npm start installs nothing where all is there', { timeout: 60_000 }, async () => {
  const child = spawn(process.execPath, ['scripts/start.mjs'], {
    cwd: root,
    env: { ...process.env, PORT: '0', REDIS_URL: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exit;
  });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  expect(line).toMatch(/^The example app is at http:/);
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
});
