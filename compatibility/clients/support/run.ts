import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ClientsServer, Step } from './server.js';

export const programs = fileURLToPath(new URL('../programs', import.meta.url));

/** Runs a client program with the server's URL, and reads what it prints: one step a line, as JSON. */
export async function runClient(command: readonly string[], { port }: ClientsServer): Promise<Step[]> {
  const [file = '', ...args] = command;
  const { stdout } = await promisify(execFile)(file, [...args, `ws://127.0.0.1:${port}`], {
    cwd: programs,
    // What Vitest sets is for its own processes.
    env: {
      ...process.env,
      NODE_OPTIONS: undefined,
      NODE_ENV: undefined,
      VITEST: undefined,
      PYTHONIOENCODING: 'utf-8',
      PYTHONDONTWRITEBYTECODE: '1',
    },
    timeout: 200_000,
    killSignal: 'SIGKILL',
  });
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line) as Step);
}

/** The first version in what a command prints; empty if it is missing or fails. */
export function versionOf(command: readonly string[], pattern = /\d+(?:\.\d+)+/): string {
  const [file = '', ...args] = command;
  const { status, stdout, stderr } = spawnSync(file, args, { encoding: 'utf8', timeout: 60_000 });
  return status === 0 ? (pattern.exec(stdout + stderr)?.[0] ?? '') : '';
}

/** The version of a Debian package without Debian's own number; empty if it is not installed. */
export function debianVersion(name: string): string {
  return versionOf(['dpkg-query', '--show', '--showformat=${Version}', name]);
}
