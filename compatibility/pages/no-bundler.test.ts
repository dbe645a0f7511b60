import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import express from 'express';
import { chromium } from 'playwright-core';
import ts from 'typescript';
import { expect, onTestFinished, test } from 'vitest';
import { chromiumArguments, chromiumPath, hasChromium } from '../../test/support/chromium.js';
import { readDocument } from '../../test/docs/document.js';
import { writePage } from '../support/page.js';
import { startProgram } from '../support/program.js';

const modules = fileURLToPath(new URL('../node_modules', import.meta.url));

/** Creates an app of the page, whose packages are where pnpm puts them: in a folder that begins with a dot. */
function createApp(): string {
  const folder = mkdtempSync(join(tmpdir(), 'dwebsocket-page-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writePage('docs/client.md', folder, ['without-a-bundler']);
  const stored = join(folder, 'node_modules/.pnpm/dwebsocket/node_modules');
  mkdirSync(stored, { recursive: true });
  cpSync(join(modules, 'dwebsocket'), join(stored, 'dwebsocket'), { recursive: true });
  symlinkSync(join(modules, 'ws'), join(stored, 'ws'));
  symlinkSync(join(stored, 'dwebsocket'), join(folder, 'node_modules/dwebsocket'));
  symlinkSync(join(modules, 'express'), join(folder, 'node_modules/express'));
  return folder;
}

/** Translates the server to CommonJS, as the page says. */
function writeCommonJs(folder: string): void {
  const code = readFileSync(join(folder, 'server.mjs'), 'utf8');
  const changed = code
    .replace(
      "fileURLToPath(import.meta.resolve('dwebsocket/client'))",
      "require.resolve('dwebsocket/client')",
    )
    .replace('import.meta.dirname', '__dirname');
  expect(changed).not.toContain('import.meta');
  const { outputText } = ts.transpileModule(changed, {
    compilerOptions: {
      module: ts.ModuleKind.CommonJS,
      target: ts.ScriptTarget.ES2022,
      esModuleInterop: true,
    },
  });
  writeFileSync(join(folder, 'server.cjs'), outputText);
}

test.runIf(hasChromium).for(['server.mjs', 'server.cjs'])('a page uses the client of %s', async (file) => {
  const folder = createApp();
  writeCommonJs(folder);
  const program = await startProgram([file], { cwd: folder });
  onTestFinished(() => program.kill());
  const origin = `http://localhost:${program.port}`;

  const browser = await chromium.launch({ executablePath: chromiumPath, args: chromiumArguments });
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  await page.goto(`${origin}/clock`);
  const time = page.locator('#time');
  await time.filter({ hasText: /T.*Z$/ }).waitFor();
  const before = await time.textContent();
  await expect.poll(() => time.textContent()).not.toBe(before);

  // The same with an import map.
  const [importMap = ''] =
    /<script type="importmap">.*<\/script>/.exec(readDocument('docs/client.md').text) ?? [];
  const clock = join(folder, 'clock.html');
  const html = readFileSync(clock, 'utf8')
    .replace("'/dwebsocket/client/index.mjs'", "'dwebsocket/client'")
    .replace('<script', `${importMap}<script`);
  writeFileSync(clock, html);
  await page.reload();
  await time.filter({ hasText: /T.*Z$/ }).waitFor();
  expect(await page.content()).toContain("from 'dwebsocket/client'");
});

test('the file of the client imports nothing', () => {
  const code = readFileSync(join(modules, 'dwebsocket/dist/client/index.mjs'), 'utf8');
  expect(ts.preProcessFile(code).importedFiles).toEqual([]);
  expect(code).toMatch(/^export \{ connect \};$/m);
});

test('res.sendFile without a root refuses a path with a folder that begins with a dot', async () => {
  const file = join(
    createApp(),
    'node_modules/.pnpm/dwebsocket/node_modules/dwebsocket/dist/client/index.mjs',
  );
  const app = express();
  app.get('/file', (_req, res) => res.sendFile(file));
  app.get('/root', (_req, res) => res.sendFile(basename(file), { root: dirname(file) }));
  const server = app.listen(0);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  const statusOf = async (path: string) => {
    const answer = await fetch(origin + path);
    await answer.text();
    return answer.status;
  };
  // If this no longer fails, docs/client.md can do without the warning.
  expect(await statusOf('/file')).toBe(404);
  expect(await statusOf('/root')).toBe(200);
});
