import { execFile } from 'node:child_process';
import {
  closeSync,
  cpSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll } from 'vitest';
import { writePage } from '../../support/page.js';
import { startProgram, type Program } from '../../support/program.js';

const home = fileURLToPath(new URL('..', import.meta.url));

/** Turns reports to the makers off, and hides from the programs that tests run them. */
const ENVIRONMENT = {
  NEXT_TELEMETRY_DISABLED: '1',
  ASTRO_TELEMETRY_DISABLED: '1',
  NUXT_TELEMETRY_DISABLED: '1',
  DO_NOT_TRACK: '1',
  NO_COLOR: '1',
  FORCE_COLOR: '0',
  TEST: '',
};

export interface AppOptions {
  /** The folder in `apps` that has the files of the app. */
  name: string;
  /** The page, and the headings whose code are files of the app, too. */
  page: readonly [path: string, ...anchors: string[]];
  /** Whether a bundler must find the package in the app itself, because it reads nothing above its folder. */
  hasOwnModules?: boolean;
  /** Where the app has its routes. By default `api.mjs`. */
  api?: string;
  /** The Node that runs the app and the programs of its packages. By default this one. */
  node?: string | undefined;
}

/** A copy of an app. The tests may change its files. */
export interface App {
  readonly folder: string;
  /** Replaces text in a file, as an editor does. */
  edit(name: string, before: string, after: string): void;
  /** Runs a program of a package to its end, such as `['next', 'build']`. */
  run(command: readonly string[]): Promise<void>;
  /** Starts a file of the app, or a program of a package, and waits for its URL. */
  start(command: readonly string[], env?: Record<string, string>): Promise<Program>;
}

/**
 * Copies an app before the tests of a `describe`, adds the files that a page shows, and removes the copy after the tests.
 *
 * The copy is in `.page`, beside node_modules, because frameworks look for their packages from the folder of the app.
 */
export function copyApp(options: AppOptions): App {
  const { name, page, hasOwnModules = false, api = 'api.mjs', node = process.execPath } = options;
  const [path, ...anchors] = page;
  let folder = '';
  beforeAll(() => {
    mkdirSync(join(home, '.page'), { recursive: true });
    folder = mkdtempSync(join(home, '.page', `${name}-`));
    cpSync(join(home, 'apps', name), folder, { recursive: true });
    cpSync(join(home, 'apps/api.mjs'), join(folder, api));
    writePage(path, folder, anchors);
    for (const each of hasOwnModules ? ['dwebsocket', 'ws'] : []) {
      cpSync(join(home, '../node_modules', each), join(folder, 'node_modules', each), { recursive: true });
    }
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, private: true, type: 'module' }));
  });
  afterAll(() => {
    if (folder !== '') rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  const toArguments = ([first = '', ...rest]: readonly string[]) => [
    /\.[cm]?js$/.test(first) ? first : join(home, 'node_modules/.bin', first),
    ...rest,
  ];
  return {
    get folder() {
      return folder;
    },
    edit(file, before, after) {
      const text = readFileSync(join(folder, file), 'utf8');
      if (!text.includes(before)) throw new Error(`${file} does not contain ${before}`);
      replaceContent(join(folder, file), text.replace(before, after));
    },
    async run(command) {
      const ended = promisify(execFile)(node, toArguments(command), {
        cwd: folder,
        // Without the settings that Vitest makes for its own processes.
        env: { ...process.env, ...ENVIRONMENT, NODE_ENV: 'production', VITEST: '', NODE_OPTIONS: '' },
        timeout: 240_000,
      });
      await ended.catch((error: unknown) => {
        const { message, stdout } = error as Error & { stdout: string };
        throw new Error(`${message}\n${stdout}`, { cause: error });
      });
    },
    start(command, env) {
      return startProgram([node, ...toArguments(command)], {
        cwd: folder,
        env: { ...ENVIRONMENT, ...env },
        deadline: 180_000,
      });
    },
  };
}

/**
 * Writes a file that programs watch, in one write. `writeFileSync` empties the file first: on a busy machine, Vite reads the
 * empty file and ignores the second event, because it comes less than 50 ms after the first.
 */
function replaceContent(path: string, text: string): void {
  const file = openSync(path, 'r+');
  try {
    const before = readFileSync(file).length;
    const length = writeSync(file, text, 0);
    if (length < before) ftruncateSync(file, length);
  } finally {
    closeSync(file);
  }
}
