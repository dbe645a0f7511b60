// Starts the example app on a fresh clone, as a visitor does: node scripts/check-start.mjs
//
// The app must start with Node alone, and install only its own dependencies, not those of the tests.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAX_PACKAGES = 150;

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
  const url = await readUrl(app.stdout);
  const { status } = await fetch(url);
  if (status !== 200) throw new Error(`the first page answered ${status} instead of 200`);
  const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
  const module = await fetch(new URL('/dwebsocket/client/index.mjs', url));
  if (module.status !== 200) throw new Error(`the client answered ${module.status} instead of 200`);
  app.kill('SIGTERM');
  const [code, signal] = await exit;
  if (code !== 0) throw new Error(`npm start ended with ${code ?? signal}`);
  const lock = JSON.parse(readFileSync(join(folder, 'node_modules/.package-lock.json'), 'utf8'));
  const count = Object.keys(lock.packages).length;
  if (count > MAX_PACKAGES)
    throw new Error(`npm start installed ${count} packages; at most ${MAX_PACKAGES} are allowed`);
  console.log(`npm start: ${count} packages, ${seconds} s until the first page`);
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
}

/** Prints the output of the app up to the URL of its first page, and returns that URL. */
async function readUrl(output) {
  for await (const line of createInterface(output)) {
    console.log(line);
    const [url] = /http:\S+/.exec(line) ?? [];
    if (url !== undefined) return url;
  }
  throw new Error('npm start ended before it printed a URL');
}
