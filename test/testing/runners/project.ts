import { spawn } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { readEntries } from '../../../scripts/entries.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** The packages that a user's tests need beside this one. */
const PACKAGES = ['express', 'express-session', 'jest', 'mocha', 'sinon', 'supertest', 'vitest', 'ws'];

export interface Outcome {
  readonly status: number | null;
  /** The output of both streams. */
  readonly output: string;
}

/** A user's project in a separate folder, with this package as npm installs it: CommonJS and ESM. */
export class Project {
  readonly #folder = realpathSync(mkdtempSync(join(tmpdir(), 'dwebsocket-runners-')));

  constructor() {
    mkdirSync(join(this.#folder, 'node_modules'));
    for (const name of PACKAGES) {
      symlinkSync(join(root, 'node_modules', name), join(this.#folder, 'node_modules', name));
    }
    this.#install();
  }

  write(path: string, text: string): void {
    const file = join(this.#folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }

  /** Runs a script of an installed package, or Node, until the process exits. */
  run(folder: string, ...args: string[]): Promise<Outcome> {
    const env = {
      ...process.env,
      NO_COLOR: '1',
      FORCE_COLOR: undefined,
      NODE_OPTIONS: undefined,
      VITEST: undefined,
    };
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, args, {
        cwd: join(this.#folder, folder),
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: 180_000,
      });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => (output += text));
      }
      child.on('error', reject);
      child.on('close', (status) => {
        resolve({ status, output });
      });
    });
  }

  /** Returns the file of a package's command. */
  bin(path: string): string {
    return join(root, 'node_modules', path);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Builds the package like `npm run build`, but without types, and not into `dist`. */
  #install(): void {
    const home = 'node_modules/dwebsocket';
    this.write(`${home}/package.json`, readFileSync(join(root, 'package.json'), 'utf8'));
    this.write(`${home}/dist/package.json`, '{ "type": "commonjs" }');
    for (const path of readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })) {
      if (!path.endsWith('.ts')) continue;
      const source = readFileSync(join(root, 'src', path), 'utf8');
      this.write(`${home}/dist/${path.replace(/\.ts$/, '.js')}`, toCommonJs(source));
    }
    const require = createRequire(join(this.#folder, 'index.js'));
    for (const { file } of readEntries()) {
      const names = Object.keys(require(join(this.#folder, home, `dist/${file}.js`)) as object);
      const face = `export { ${names.join(', ')} } from './${file.split('/').at(-1)!}.js';\n`;
      this.write(`${home}/dist/${file}.mjs`, face);
    }
  }
}

export function toCommonJs(code: string): string {
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: {
      module: ts.ModuleKind.CommonJS,
      target: ts.ScriptTarget.ES2022,
      esModuleInterop: true,
    },
  });
  return outputText;
}
