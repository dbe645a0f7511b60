// Plain JavaScript, because it runs before anything is installed.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Installs the dependencies of this checkout, or of a folder in it, unless they match package-lock.json. With `only`,
 * installs just these development dependencies. Ends the process if the installation fails.
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

/** Installs some development dependencies like ordinary ones; package.json and the lock file stay unchanged. */
function installOnly(home, names) {
  const { devDependencies } = JSON.parse(readFileSync(resolve(home, 'package.json'), 'utf8'));
  const packages = names.map((name) => `${name}@${devDependencies[name]}`);
  return ['install', '--no-save', '--save-prod', '--omit=dev', ...packages];
}

// Compares versions, not times of files: `npm install` writes the two lock files in any order. A needless `npm ci` would
// delete node_modules while other programs use it.
function isInstalled(home, only) {
  const installed = readPackages(home, 'node_modules/.package-lock.json');
  if (installed === undefined) return false;
  const wanted = Object.entries(readPackages(home, 'package-lock.json') ?? {});
  return wanted.every(([path, { version, optional, dev, devOptional }]) => {
    if (path === '' || optional || devOptional) return true; // the package itself; binaries of other platforms
    if (only !== undefined && dev && !only.some((name) => path === `node_modules/${name}`)) return true;
    return installed[path]?.version === version;
  });
}

/** @returns {Record<string, { version?: string, optional?: boolean, dev?: boolean, devOptional?: boolean }> | undefined} */
function readPackages(home, file) {
  const path = resolve(home, file);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).packages : undefined;
}

/** Runs npm, prints a dot each second, and resolves with the exit code. */
function runNpm(home, args) {
  // When npm runs this script, it sets its own path, also on Windows. Otherwise `npm` must be on the PATH.
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
    child.on('error', (error) => console.error(`\nnpm did not start: ${error.message}; put npm on the PATH`));
    child.on('close', (status) => {
      clearInterval(timer);
      resolveStatus(status ?? 1);
    });
  });
}
