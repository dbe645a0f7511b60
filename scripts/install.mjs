// Plain JavaScript, because it runs before anything is installed.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Installs the dependencies of this checkout, or of a folder in it, where they are not what package-lock.json says: all
 * of them, or of those for development `only` the ones that are named. Ends the process where that fails.
 *
 * @param {{ folder?: string, only?: readonly string[] }} [what]
 */
export async function install({ folder = '.', only } = {}) {
  const home = resolve(root, folder);
  if (isInstalled(home, only)) return;
  const name = relative(root, home);
  const what = only === undefined ? `the dependencies${name === '' ? '' : ` of ${name}`}` : only.join(', ');
  process.stdout.write(`Installing ${what} `);
  const status = await runNpm(home, only === undefined ? ['ci', '--include=dev'] : installOnly(home, only));
  if (status !== 0) process.exit(status);
}

/** As if those that are named were no development dependencies; package.json and the lock file stay as they are. */
function installOnly(home, names) {
  const { devDependencies } = JSON.parse(readFileSync(resolve(home, 'package.json'), 'utf8'));
  const packages = names.map((name) => `${name}@${devDependencies[name]}`);
  return ['install', '--no-save', '--save-prod', '--omit=dev', ...packages];
}

// The versions are compared, and not the times of the files: after a `npm install` the two lock files are written in
// any order, and a needless `npm ci` would take node_modules away under whatever is running.
function isInstalled(home, only) {
  const installed = readPackages(home, 'node_modules/.package-lock.json');
  if (installed === undefined) return false;
  const wanted = Object.entries(readPackages(home, 'package-lock.json') ?? {});
  return wanted.every(([path, { version, optional, dev, devOptional }]) => {
    if (path === '' || optional || devOptional) return true; // ourselves; another platform's binaries
    if (only !== undefined && dev && !only.some((name) => path === `node_modules/${name}`)) return true;
    return installed[path]?.version === version;
  });
}

/** @returns {Record<string, { version?: string, optional?: boolean, dev?: boolean, devOptional?: boolean }> | undefined} */
function readPackages(home, file) {
  const path = resolve(home, file);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).packages : undefined;
}

/** Runs npm, and prints a dot each second; resolves with its exit code. */
function runNpm(home, args) {
  // npm says where it is when it runs us, which is right on Windows as well; without it `npm` must be on the PATH.
  const npm = process.env.npm_execpath ?? '';
  const [command, ...first] = basename(npm).startsWith('npm-cli') ? [process.execPath, npm] : ['npm'];
  const quiet = ['--no-audit', '--no-fund', '--no-progress', '--loglevel=error'];
  const child = spawn(command, [...first, ...args, ...quiet], {
    cwd: home,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: command === 'npm' && process.platform === 'win32',
  });
  const timer = setInterval(() => process.stdout.write('.'), 1_000);
  return new Promise((resolveStatus) => {
    child.on('error', (error) => console.error(`\nnpm could not be run: ${error.message}`));
    child.on('close', (status) => {
      clearInterval(timer);
      resolveStatus(status ?? 1);
    });
  });
}
