import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { requirement } from '../../../test/support/requirements.js';
import type { Subject } from '../../support/subject.js';

/** A runtime under test. */
export interface Runtime extends Subject {
  /** The program, and the arguments before the name of a file. */
  readonly command: readonly string[];
}

export const folder = fileURLToPath(new URL('..', import.meta.url));
const modules = `${folder}node_modules/`;

const { platform, arch } = process;
const bunArch = arch === 'arm64' ? 'aarch64' : arch;
const bunPlatform = platform === 'win32' ? 'windows' : platform;
const denoLibrary = platform === 'linux' ? '-glibc' : '';
const suffix = platform === 'win32' ? '.exe' : '';

export const bun: Runtime = {
  name: 'Bun',
  packages: ['bun'],
  needs: 'nothing',
  command: [`${modules}@oven/bun-${bunPlatform}-${bunArch}/bin/bun${suffix}`],
};

export const deno: Runtime = {
  name: 'Deno',
  packages: ['deno'],
  needs: '`-A`, or [permissions](#deno)',
  command: [`${modules}@deno/${platform}-${arch}${denoLibrary}/deno${suffix}`, 'run', '-A', '--no-lock'],
};

/** The versions of Node, which npm installs on Linux with x64. */
export const nodes: readonly Runtime[] = ['node20', 'node22', 'node24', 'node26'].map((name) => ({
  name: `Node ${name.slice(4)}`,
  ...(existsSync(`${modules}${name}`) ? { version: versionOf(name) } : {}),
  needs: 'nothing',
  command: [`${modules}${name}/bin/node`],
}));

/** Says whether a runtime is installed. Otherwise prints one line, or fails with REQUIRE_ALL. */
export function isInstalled({ name, command: [program = ''] }: Runtime): boolean {
  return requirement(name, existsSync(program));
}

function versionOf(name: string): string {
  const { version } = JSON.parse(readFileSync(`${modules}${name}/package.json`, 'utf8')) as {
    version: string;
  };
  return version;
}
