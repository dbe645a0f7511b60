/**
 * Builds the package, packs it and unpacks the tarball to compatibility/node_modules/dwebsocket (`globalSetup`). There, the
 * programs in the folders beside find it as users do, and no file of `src` is in their reach.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const modules = fileURLToPath(new URL('../node_modules', import.meta.url));
const installed = join(modules, 'dwebsocket');
/** Outside of the package, so that nothing is in it that users do not get. */
const stamp = join(modules, '.dwebsocket-sources');

export default function installPackage(): void {
  const sources = hashSources();
  if (existsSync(installed) && existsSync(stamp) && readFileSync(stamp, 'utf8') === sources) return;
  const temporary = mkdtempSync(join(tmpdir(), 'dwebsocket-package-'));
  try {
    execFileSync(process.execPath, ['--import', 'tsx', 'scripts/build.ts'], { cwd: root, stdio: 'pipe' });
    const tarball = pack(temporary);
    execFileSync('tar', ['-xzf', tarball, '-C', temporary]);
    mkdirSync(modules, { recursive: true });
    rmSync(installed, { recursive: true, force: true });
    move(join(temporary, 'package'), installed);
    writeFileSync(stamp, sources);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

function pack(folder: string): string {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const output = execFileSync('npm', args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    shell: process.platform === 'win32',
  });
  const [packed] = JSON.parse(output) as { filename: string }[];
  if (packed === undefined) throw new Error(`npm pack created no tarball; it printed: ${output}`);
  return join(folder, packed.filename);
}

/** The temporary folder can be on another disk, to which nothing can be renamed. */
function move(from: string, to: string): void {
  const beside = mkdtempSync(join(modules, '.dwebsocket-'));
  execFileSync('cp', ['-R', `${from}/.`, beside]);
  renameSync(beside, to);
}

function hashSources(): string {
  const hash = createHash('sha256');
  for (const name of ['package.json', 'scripts/build.ts', 'scripts/bundle-client.ts'])
    hash.update(readFileSync(join(root, name)));
  const names = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
  for (const name of names.filter((each) => each.endsWith('.ts')).sort())
    hash.update(name).update(readFileSync(join(root, 'src', name)));
  return hash.digest('hex');
}
