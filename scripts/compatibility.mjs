// Tests what users run beside the package, in `compatibility`:
//
//   npm run test:compatibility [-- folder … or options of Vitest]
//   npm run compatibility:table [-- folder …]      the same, and writes the tables of the documents
//
// A folder is `frameworks`, or a file in it, such as `frameworks/koa`. Installs the packages of the folders first.

import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { install } from './install.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const groups = readdirSync(`${root}compatibility`).filter((name) =>
  existsSync(`${root}compatibility/${name}/package.json`),
);

const args = process.argv.slice(2);
const table = args.includes('--table');
const filters = args.filter((arg) => arg !== '--table');
const named = filters.map((filter) => filter.replace(/^compatibility\//, '').split('/')[0] ?? '');
const wanted = groups.filter((group) => named.includes(group));

await install({ folder: 'compatibility' });
// Filters that name no folder, such as part of a file's name, can mean any.
for (const group of wanted.length > 0 ? wanted : groups) await install({ folder: `compatibility/${group}` });

const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));
const child = spawn(
  process.execPath,
  [vitest, 'run', '--config', 'compatibility/vitest.config.ts', ...filters],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...(table ? { COMPATIBILITY_TABLE: 'write' } : {}) },
  },
);
child.on('close', (code) => process.exit(code ?? 1));
