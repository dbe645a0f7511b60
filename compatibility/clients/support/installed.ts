import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { versionOf } from './run.js';

/** Debian's Python, which has Debian's packages, unless PYTHON_PATH names another one. */
export const PYTHON = process.env['PYTHON_PATH'] ?? '/usr/bin/python3';
export const pythonVersion = (code: string): string => versionOf([PYTHON, '-c', code]);

const modules = fileURLToPath(new URL('../node_modules/', import.meta.url));

/** The program that a package of npm brings for this platform; empty if it has none for it. */
function findProgram(scope: string, file: string): string {
  const packages = existsSync(modules + scope) ? readdirSync(modules + scope) : [];
  const files = packages.map((name) => join(modules, scope, name, file));
  return files.find((each) => existsSync(each)) ?? '';
}
export const bun = findProgram('@oven', 'bin/bun');
export const deno = findProgram('@deno', 'deno');
