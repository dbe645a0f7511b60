/** The project of a user: an app and its dependencies, in a folder where a bundler runs. */
import { execFile } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, delimiter, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { onTestFinished } from 'vitest';
import { readDocument } from '../../../test/docs/document.js';
import { writePage } from '../../support/page.js';
import { startProgram, type Program } from '../../support/program.js';

const PAGE = 'docs/bundlers.md';
const bundlers = fileURLToPath(new URL('../', import.meta.url));
const installed = join(bundlers, 'node_modules');
const shared = join(bundlers, '../node_modules');

/** `bufferutil` and what it loads its native part with. */
const NATIVE = ['bufferutil', 'node-gyp-build'];

export interface ProjectOptions {
  /** Whether `bufferutil` is installed. By default `false`. */
  readonly bufferutil?: boolean;
  /** The format of the app, and the field `type` of package.json. By default `module`. */
  readonly type?: 'module' | 'commonjs';
}

/** Creates a folder with the app, whose modules find their dependencies in this folder only. */
export function createProject({ bufferutil = false, type = 'module' }: ProjectOptions = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'dwebsocket-bundle-'));
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  // `ws` must be a copy: a bundler follows a link, and would look for `bufferutil` where it leads.
  const copied = ['dwebsocket', 'ws'].map((name) => join(shared, name));
  if (bufferutil) copied.push(...NATIVE.map((name) => join(installed, name)));
  for (const path of copied) cpSync(path, join(modules, basename(path)), { recursive: true });
  const linked = readdirSync(installed).filter((name) => !name.startsWith('.') && !NATIVE.includes(name));
  for (const name of linked) symlinkSync(join(installed, name), join(modules, name));
  symlinkSync(join(shared, 'express'), join(modules, 'express'));
  const source = readFileSync(join(bundlers, 'app.js'), 'utf8');
  writeFileSync(join(folder, 'app.js'), type === 'module' ? source : toCommonJs(source));
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({
      private: true,
      type,
      dependencies: { dwebsocket: '*', express: '*', ws: '*' },
    }),
  );
  return folder;
}

function toCommonJs(source: string): string {
  const compilerOptions = {
    module: ts.ModuleKind.CommonJS,
    target: ts.ScriptTarget.ES2022,
    esModuleInterop: true,
  };
  return ts.transpileModule(source, { compilerOptions }).outputText;
}

/** Bundles the app of a project with the files and the commands that the page shows under a heading. */
export async function bundle(folder: string, anchor: string): Promise<void> {
  const blocks = readDocument(PAGE).blocks.filter((block) => block.anchor === anchor);
  if (blocks.some(({ language }) => language === 'js')) writePage(PAGE, folder, [anchor]);
  const commands = blocks.flatMap(({ language, code }) => (language === 'sh' ? code.split('\n') : []));
  if (commands.length === 0) throw new Error(`${PAGE} has no command under #${anchor}`);
  for (const command of commands) await runScript(folder, command);
}

/** Runs a command like a script of package.json: it finds the programs of the installed packages. */
export async function runScript(folder: string, command: string): Promise<void> {
  const env = { ...process.env, PATH: [join(installed, '.bin'), process.env.PATH].join(delimiter) };
  // Vitest sets it, and bundlers obey it.
  delete (env as NodeJS.ProcessEnv).NODE_ENV;
  try {
    await promisify(execFile)('sh', ['-c', command], {
      cwd: folder,
      env,
      maxBuffer: 2 ** 26,
    });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${command}\n${stdout}${stderr}`, { cause: error });
  }
}

/**
 * Runs a bundle as users deploy it, until the test has finished: in a folder with nothing else, and with no package in reach.
 *
 * @param output What a bundler has written: a file, or a folder with a file `index` and its assets.
 * @throws The process ended before it was ready. The message has all that it printed.
 */
export async function runBundle(output: string): Promise<Program> {
  const folder = mkdtempSync(join(tmpdir(), 'dwebsocket-deployed-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const isFile = extname(output) !== '';
  cpSync(output, isFile ? join(folder, basename(output)) : folder, { recursive: true });
  const main = readdirSync(folder).find((name) => /^(?:server|index)\.[cm]?js$/.test(name));
  if (main === undefined) throw new Error(`${output} has no file to run`);
  for (const name of ['dwebsocket', 'express', ...NATIVE, 'ws']) {
    if (isInReach(join(folder, main), name)) throw new Error(`the bundle can load ${name} from outside`);
  }
  const program = await startProgram([main], { cwd: folder, env: { NODE_PATH: '' } });
  onTestFinished(() => program.kill());
  return program;
}

function isInReach(file: string, name: string): boolean {
  try {
    createRequire(file).resolve(name);
    return true;
  } catch {
    return false;
  }
}
