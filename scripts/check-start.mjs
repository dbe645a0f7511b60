// Starts the example app as a visitor does, on a fresh clone: node scripts/check-start.mjs
//
// It must work with Node alone, and install what the example app needs and not all that the tests do.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MOST_PACKAGES = 150;

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'dwebsocket-start-'));
try {
  execFileSync('git', ['clone', '--quiet', root, folder], { stdio: 'inherit' });
  const begun = performance.now();
  const app = spawn('npm', ['start'], {
    cwd: folder,
    env: { ...process.env, PORT: '0', REDIS_URL: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(app, 'exit');
  const { status } = await fetch(await readUrl(app.stdout));
  if (status !== 200) throw new Error(`the first page answers ${status}`);
  const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
  app.kill('SIGTERM');
  const [code, signal] = await exit;
  if (code !== 0) throw new Error(`npm start ended with ${code ?? signal}`);
  const lock = JSON.parse(readFileSync(join(folder, 'node_modules/.package-lock.json'), 'utf8'));
  const count = Object.keys(lock.packages).length;
  if (count > MOST_PACKAGES) throw new Error(`npm start has installed ${count} packages`);
  console.log(`npm start: ${count} packages, ${seconds} s until the first page`);
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
}

/** Prints what the app prints, up to the address of its first page. */
async function readUrl(output) {
  for await (const line of createInterface(output)) {
    console.log(line);
    const [url] = /http:\S+/.exec(line) ?? [];
    if (url !== undefined) return url;
  }
  throw new Error('npm start has ended without an address');
}
