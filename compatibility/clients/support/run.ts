import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ClientsServer, Step } from './server.js';

export const programs = fileURLToPath(new URL('../programs', import.meta.url));

/** Runs a client program with the server's URL, and reads what it prints: one step a line, as JSON. */
export async function runClient(
  command: readonly string[],
  { port }: ClientsServer,
  env: Record<string, string> = {},
): Promise<Step[]> {
  const [file = '', ...args] = command;
  const { NODE_OPTIONS: _options, VITEST: _vitest, NODE_ENV: _env, ...own } = process.env;
  const { stdout } = await promisify(execFile)(file, [...args, `ws://127.0.0.1:${port}`], {
    cwd: programs,
    env: { ...own, PYTHONIOENCODING: 'utf-8', PYTHONDONTWRITEBYTECODE: '1', ...env },
    timeout: 200_000,
    killSignal: 'SIGKILL',
  });
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line) as Step);
}

/** The first version in what a command prints; none if it is missing or fails. */
export function versionOf(command: readonly string[], pattern = /\d+(?:\.\d+)+/): string | undefined {
  const [file = '', ...args] = command;
  const { status, stdout, stderr } = spawnSync(file, args, { encoding: 'utf8', timeout: 60_000 });
  return status === 0 ? pattern.exec(stdout + stderr)?.[0] : undefined;
}

/** The version of a Debian package without Debian's own number; none if it is not installed. */
export function debianVersion(name: string): string | undefined {
  return versionOf(['dpkg-query', '--show', '--showformat=${Version}', name]);
}
