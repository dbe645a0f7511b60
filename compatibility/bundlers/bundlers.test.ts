import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { connect } from '../../test/support/client.js';
import type { Program } from '../support/program.js';
import { checksOf, type Subject } from '../support/subject.js';
import { bundle, createProject, runBundle, runScript, type ProjectOptions } from './support/project.js';

/** A bundler on a busy machine. */
const MINUTES = 600_000;

interface Bundler extends Subject {
  /** The bundle for each format: a file, or a folder that the bundler fills. The heading in docs/bundlers.md is `name`. */
  readonly outputs: Readonly<Record<string, string>>;
  readonly type?: ProjectOptions['type'];
}

const FILES = { ESM: 'dist/server.mjs', CommonJS: 'dist/server.cjs' };
const NCC = { name: 'ncc', packages: ['@vercel/ncc'], needs: 'nothing; keeps the format of the app' };

const BUNDLERS: readonly Bundler[] = [
  { name: 'esbuild', packages: ['esbuild'], needs: 'for ESM, a line that defines `require`', outputs: FILES },
  { name: 'rollup', packages: ['rollup'], needs: 'plugins for packages, CommonJS and JSON', outputs: FILES },
  { name: 'rolldown', packages: ['rolldown'], needs: "`platform: 'node'`", outputs: FILES },
  { name: 'webpack', packages: ['webpack'], needs: "`target: 'node'`", outputs: FILES },
  { ...NCC, outputs: { ESM: 'dist' } },
  { ...NCC, outputs: { CommonJS: 'dist' }, type: 'commonjs' },
  {
    name: 'tsup',
    packages: ['tsup'],
    needs: '`noExternal`; for ESM, a line that defines `require`',
    outputs: FILES,
  },
  { name: 'tsdown', packages: ['tsdown'], needs: '`deps.alwaysBundle`', outputs: FILES },
];

for (const { outputs, type = 'module', ...subject } of BUNDLERS) {
  describe.for([
    ['', false],
    [' with bufferutil', true],
  ] as const)(`${subject.name}%s`, ([suffix, bufferutil]) => {
    const check = checksOf(subject);
    let folder: string;
    beforeAll(async () => {
      folder = createProject({ bufferutil, type });
      await bundle(folder, subject.name);
    }, MINUTES);
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    for (const [format, output] of Object.entries(outputs)) {
      check(
        `${format}${suffix}`,
        `one minified ${format} file serves, with no package in reach`,
        async (see) => {
          const program = await runBundle(join(folder, output));
          await expectToServe(program);
          const hasNative = (await fetchText(program, '/native')) === 'true';
          if (bufferutil) see(hasNative ? 'yes, native' : 'yes');
          else expect(hasNative).toBe(false);
          await expectToStop(program);
        },
      );
    }
  });
}

describe('esbuild without the line that defines require', () => {
  test('an ESM bundle fails at start', { timeout: MINUTES }, async () => {
    const folder = createProject();
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    await runScript(folder, 'esbuild app.js --bundle --platform=node --format=esm --outfile=server.mjs');
    // If this no longer fails, docs/bundlers.md can do without the line.
    await expect(runBundle(join(folder, 'server.mjs'))).rejects.toThrow(
      /Dynamic require of "[\w:]+" is not supported/,
    );
  });
});

async function expectToServe(program: Program): Promise<void> {
  expect(await fetchText(program, '/echo')).toBe('plain');

  const echo = await connect(program, '/echo', { perMessageDeflate: true });
  expect(echo.ws.extensions).toBe('permessage-deflate');
  const long = 'a long message '.repeat(60_000);
  echo.send('hello', long, Buffer.from([1, 2, 3]));
  expect(await echo.next()).toBe('hello');
  expect((await echo.next()) === long).toBe(true);
  expect(await echo.next()).toEqual(Buffer.from([1, 2, 3]));
  echo.send('end');
  expect((await echo.closed()).code).toBe(1000);

  const fail = await connect(program, '/fail');
  fail.send('now');
  expect(await fail.closed()).toEqual({ code: 1011, reason: '' });
  await program.printed(/^failed: asked for$/);

  const [ada, bob] = [await connect(program, '/group'), await connect(program, '/group')];
  await Promise.all([ada.flush(), bob.flush()]);
  ada.send('to all');
  expect(await Promise.all([ada.next(), bob.next()])).toEqual(['to all', 'to all']);

  const names = await connect(program, '/names');
  expect(JSON.parse(String(await names.next()))).toEqual({
    closed: 'WebsocketClosedError',
    option: 'TypeError ERR_WEBSOCKET_OPTION',
    isWebsocket: true,
    isSocketOfWs: true,
  });

  await expect(connect(program, '/nowhere')).rejects.toThrow('404');
  expect(program.lines.filter((line) => /warning/i.test(line))).toEqual([]);
}

async function expectToStop(program: Program): Promise<void> {
  const client = await connect(program, '/echo');
  const stopped = program.stop('SIGTERM');
  expect((await client.closed()).code).toBe(1001);
  expect(await stopped).toEqual({ code: 0, signal: null });
}

async function fetchText({ port }: Program, path: string): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}${path}`)).text();
}
