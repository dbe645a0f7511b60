// Installs the dependencies of this checkout, or of a folder in it, where they are not what package-lock.json says:
//
//   node scripts/setup.mjs [folder]
//
// `npm start`, `npm test` and the others begin with it, so that they work on a fresh clone. It costs a few
// milliseconds when there is nothing to do, and it is plain JavaScript because it runs before anything is installed.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = resolve(root, process.argv[2] ?? '.');

if (!isInstalled()) install();

// The versions are compared, and not the times of the files: after a `npm install` the two lock files are written in
// any order, and a needless `npm ci` would take node_modules away under whatever is running.
function isInstalled() {
  const installed = readPackages('node_modules/.package-lock.json');
  if (installed === undefined) return false;
  const wanted = Object.entries(readPackages('package-lock.json') ?? {});
  return wanted.every(([path, { version, optional, devOptional }]) => {
    if (path === '' || optional || devOptional) return true; // ourselves; another platform's binaries
    return installed[path]?.version === version;
  });
}

/** @returns {Record<string, { version?: string, optional?: boolean, devOptional?: boolean }> | undefined} */
function readPackages(file) {
  const path = resolve(folder, file);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).packages : undefined;
}

function install() {
  const name = relative(root, folder);
  console.log(`Installing the dependencies${name === '' ? '' : ` of ${name}`} …`);
  // npm says where it is when it runs us, which is right on Windows as well; without it `npm` must be on the PATH.
  const npm = process.env.npm_execpath ?? '';
  const [command, ...first] = basename(npm).startsWith('npm-cli') ? [process.execPath, npm] : ['npm'];
  const { status, error } = spawnSync(command, [...first, 'ci', '--include=dev', '--no-audit', '--no-fund'], {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: command === 'npm' && process.platform === 'win32',
  });
  if (error !== undefined) console.error(`npm could not be run: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}
