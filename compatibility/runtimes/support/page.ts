import { execFile, type ExecFileException } from 'node:child_process';
import { dirname, delimiter } from 'node:path';
import { promisify } from 'node:util';
import { writePage } from '../../support/page.js';
import { folder, type Runtime } from './runtimes.js';

const execute = promisify(execFile);

/** Writes the app of docs/runtimes.md, and the code under a heading, to a folder. Returns the folder. */
export function writeSection(anchor: string, name = anchor): string {
  const home = `${folder}.page/${name}/`;
  writePage('docs/runtimes.md', home, ['bun-deno-and-each-version-of-node', anchor]);
  return home;
}

/** The environment of a user who has only this runtime. */
export function environmentOf({ command: [program = ''] }: Runtime): Record<string, string> {
  return { PATH: `${dirname(program)}${delimiter}${process.env.PATH ?? ''}` };
}

/** Runs a command, and resolves with all that it printed. Rejects with it if the command fails. */
export async function run(
  command: readonly string[],
  cwd: string,
  env: Record<string, string> = {},
): Promise<string> {
  const [file = '', ...args] = command;
  // What Vitest sets is for its own processes.
  const own = { ...process.env, VITEST: undefined, NODE_ENV: undefined, NODE_OPTIONS: undefined };
  try {
    const { stdout, stderr } = await execute(file, args, { cwd, env: { ...own, NO_COLOR: '1', ...env } });
    return stdout + stderr;
  } catch (error) {
    const { message, stdout = '', stderr = '' } = error as ExecFileException;
    throw new Error(`${message}\n${stdout}${stderr}`, { cause: error });
  }
}
