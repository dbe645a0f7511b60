/**
 * Compiles `test/types` and the documents as users would, against the packed package.
 *
 *     npm run build && tsx scripts/check-types.ts
 *
 * - `test/types`: with the strictest options and without `skipLibCheck`, with each TypeScript that we support; with the
 *   types of Express 5, of Express 4 and of neither, and with those of each Redis client; as ES modules and as CommonJS;
 *   with each way to resolve modules; and once without `strict`.
 * - The client, also without the types of Node, and without any types of a platform.
 * - The documents: with the settings that `tsc --init` of each TypeScript writes, and without `strict`.
 * - Both with each major version of `@types/node`.
 *
 * Needs the npm registry. Independent settings are not combined. The versions between the oldest and the newest TypeScript
 * use one way to resolve modules, and no types of Redis clients, which take most of the time.
 */
import { execFile, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { asFile } from '../test/docs/check-types.js';
import { COMPILED_ELSEWHERE, readDocuments, type Block } from '../test/docs/document.js';
import { readNames } from '../test/docs/names.js';

const COMPILERS = ['5.6.3', '5.7.3', '5.8.3', '5.9.3', '6.0.3', '7.0.2'];
const [OLDEST, NEWEST] = [COMPILERS[0], COMPILERS.at(-1)];

/** The newest of each major version except the oldest. package.json pins the oldest, which all other programs use. */
const NODE_TYPES = ['22.20.7', '24.19.4', '25.9.9', '26.6.7'];

const RESOLUTIONS = {
  node16: { module: 'node16' },
  nodenext: { module: 'nodenext' },
  bundler: { module: 'preserve', moduleResolution: 'bundler' },
};

const root = fileURLToPath(new URL('..', import.meta.url));
const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  devDependencies: Record<string, string>;
};
const pinned = (...names: string[]) => names.map((name) => `${name}@${String(devDependencies[name])}`);

interface Consumer {
  readonly name: string;
  readonly types: readonly string[];
  /** The files of test/types to compile; by default all that need no Redis client and no schema. */
  readonly files?: readonly string[];
  /** A folder of test/types to compile instead, with one way to resolve modules: these large types take long. */
  readonly folder?: string;
  /** Libraries of TypeScript to add. */
  readonly lib?: readonly string[];
  /** The kinds of modules to compile it as; by default both. */
  readonly kinds?: readonly string[];
  /** Whether to compile it without `strict`, too, and never the declarations of the other packages. */
  readonly isLooseToo?: boolean;
}

const PARTS = pinned('@types/connect', '@types/express-session', '@types/passport', '@types/supertest');
const EXPRESS_5: Consumer = { name: 'Express 5', types: [...pinned('@types/express'), ...PARTS] };
const CONSUMERS: readonly Consumer[] = [
  EXPRESS_5,
  { name: 'Express 4', types: ['@types/express@4.17.25', ...PARTS] },
  { name: 'no Express', types: pinned('@types/connect'), files: ['expect.ts', 'bare.ts'] },
  { name: 'Redis', types: pinned('redis', 'redis5', 'ioredis', 'ioredis5'), folder: 'redis' },
  {
    name: 'libraries',
    types: pinned('@types/express', '@types/ws'),
    folder: 'libraries',
    lib: ['dom'],
    isLooseToo: true,
  },
  { name: 'client', types: pinned('@types/ws'), folder: 'client' },
  {
    name: 'schemas',
    types: pinned('@types/express', 'zod', 'zod3', 'valibot', 'arktype'),
    folder: 'schemas',
    // arktype has only ES modules.
    kinds: ['module'],
    isLooseToo: true,
  },
];

const STRICT = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noImplicitOverride: true,
  noFallthroughCasesInSwitch: true,
  skipLibCheck: false,
  noEmit: true,
  target: 'es2022',
  lib: ['es2022'],
  types: ['node'],
  esModuleInterop: true,
};

const LOOSE = { strict: false, module: 'nodenext', target: 'es2022', skipLibCheck: true, noEmit: true };

/** The files that need `strict`, to find a mistake or to distinguish `undefined` from a value. */
const NEED_STRICT = ['mistakes.ts', 'bare.ts', 'undefined-options.ts', 'schemas/libraries.ts'];

/** A project, and the compilers that compile it. */
interface Program {
  readonly name: string;
  readonly project: string;
  readonly isFor: (version: string) => boolean;
}

const isAny = () => true;
const isOldestOrNewest = (version: string) => version === OLDEST || version === NEWEST;
const isNewest = (version: string) => version === NEWEST;

const folder = mkdtempSync(join(tmpdir(), 'dwebsocket-types-'));
try {
  const tarball = await pack();
  const installing = installCompilers();
  const [compilers, ...programs] = await Promise.all([
    installing,
    prepareDocuments(tarball, installing),
    ...CONSUMERS.map((consumer) => prepare(consumer, tarball)),
  ]);
  const runs = compilers.flatMap(({ version, tsc }) =>
    programs
      .flat()
      .filter(({ isFor }) => isFor(version))
      .map(({ name, project }) => ({ name: `TypeScript ${version}, ${name}`, tsc, project })),
  );
  const failed = await runAll(runs);
  if (failed > 0)
    throw new Error(`${failed} of ${runs.length} programs do not compile; mend the errors above`);
  console.log(`${runs.length} programs compile: TypeScript ${COMPILERS.join(', ')}`);
} finally {
  // If one installation fails, the others still write into the folder.
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
}

async function pack(): Promise<string> {
  if (!existsSync(join(root, 'dist/index.js'))) throw new Error('dist is missing; run npm run build first');
  const output = await npm(root, 'pack', '--json', '--ignore-scripts', '--pack-destination', folder);
  const [packed] = JSON.parse(output) as { filename: string }[];
  if (packed === undefined) throw new Error(`npm pack created no tarball; it printed: ${output}`);
  return join(folder, packed.filename);
}

interface Compiler {
  readonly version: string;
  readonly tsc: string;
}

async function installCompilers(): Promise<Compiler[]> {
  const home = join(folder, 'compilers');
  await install(home, ...COMPILERS.map((version) => `typescript-${version}@npm:typescript@${version}`));
  return COMPILERS.map((version) => ({
    version,
    tsc: join(home, `node_modules/typescript-${version}/bin/tsc`),
  }));
}

/** Prepares a user's project, with a program for each way to compile it. */
async function prepare(consumer: Consumer, tarball: string): Promise<Program[]> {
  const {
    name,
    types,
    files,
    folder: part,
    lib = [],
    kinds = ['module', 'commonjs'],
    isLooseToo = false,
  } = consumer;
  const home = join(folder, name.replace(' ', '-'));
  await install(home, tarball, ...types, ...pinned('@types/node'));
  if (
    existsSync(join(home, 'node_modules/@types/ws')) &&
    !types.some((type) => type.startsWith('@types/ws@'))
  )
    throw new Error('the package installs @types/ws; remove that dependency');
  const isWanted = (path: string) =>
    files === undefined
      ? !path.endsWith('.test.ts')
      : path.endsWith('types') || files.some((file) => path.endsWith(`/${file}`));
  for (const type of kinds) {
    cpSync(join(root, 'test/types'), join(home, type), { recursive: true, filter: isWanted });
    writeFileSync(join(home, type, 'package.json'), JSON.stringify({ type }));
  }
  const programs: Program[] = [];
  const add = (title: string, isFor: Program['isFor'], include: string, compilerOptions: object): void => {
    const exclude = NEED_STRICT.filter(() => compilerOptions === LOOSE).map((file) => `*/${file}`);
    const project = writeProject(home, `${String(programs.length)}.json`, {
      compilerOptions,
      include: [include],
      exclude,
    });
    programs.push({ name: `${name}, ${title}`, project, isFor });
  };
  const strict = { ...STRICT, ...RESOLUTIONS.nodenext, lib: [...STRICT.lib, ...lib] };
  if (part !== undefined) {
    const include = `*/${part}/*.ts`;
    add('nodenext', isOldestOrNewest, include, isLooseToo ? { ...strict, skipLibCheck: true } : strict);
    if (isLooseToo) add('without strict', isOldestOrNewest, include, LOOSE);
    if (part === 'client') {
      for (const platform of [[], ['dom']])
        add(`in ${platform[0] ?? 'no'} lib`, isOldestOrNewest, '*/client/client.ts', {
          ...strict,
          types: [],
          lib: [...STRICT.lib, ...platform],
        });
    }
    return programs;
  }
  for (const [title, resolution] of Object.entries(RESOLUTIONS)) {
    add(title, title === 'nodenext' ? isAny : isOldestOrNewest, '*/*.ts', { ...STRICT, ...resolution });
  }
  add('without noUncheckedIndexedAccess', isOldestOrNewest, '*/*.ts', {
    ...strict,
    noUncheckedIndexedAccess: false,
  });
  if (files === undefined) add('nodenext, augmented', isOldestOrNewest, '*/augmented/*.ts', strict);
  if (consumer === EXPRESS_5) {
    add('without strict', isOldestOrNewest, '*/*.ts', LOOSE);
    const config = { compilerOptions: strict, include: ['../*/*.ts'] };
    programs.push(...(await withNodeTypes(name, home, config)));
  }
  return programs;
}

/** Prepares a project with all code of the documents, each piece in a file of its own. */
async function prepareDocuments(tarball: string, installing: Promise<Compiler[]>): Promise<Program[]> {
  const home = join(folder, 'documents');
  const all = readDocuments().flatMap((document) => document.blocks);
  const blocks = all.filter(({ language, path }) => language === 'ts' && !COMPILED_ELSEWHERE.includes(path));
  await install(home, tarball, ...pinned('@types/node', ...packagesOf(blocks)));
  const code = join(home, 'code');
  mkdirSync(code);
  cpSync(join(root, 'test/docs/reader.ts'), join(code, 'reader.ts'));
  for (const block of blocks) {
    writeFileSync(join(code, `${block.path.replaceAll('/', '-')}-${block.line}.ts`), asFile(block));
  }
  const programs: Program[] = [];
  let before = '';
  for (const { version, tsc } of await installing) {
    const own = join(home, version);
    mkdirSync(own);
    await promisify(execFile)(process.execPath, [tsc, '--init'], { cwd: own });
    // Most versions write the same settings as the version before; only the comments differ.
    const file = join(own, 'tsconfig.json');
    const settings: unknown = ts.parseConfigFileTextToJson(file, readFileSync(file, 'utf8')).config;
    const written = JSON.stringify(settings);
    if (written === before && version !== NEWEST) continue;
    before = written;
    const config = {
      extends: `../${version}/tsconfig.json`,
      compilerOptions: { noEmit: true },
      include: ['../code/*.ts'],
    };
    programs.push({
      name: 'documents, with the settings of "tsc --init"',
      project: writeProject(own, 'project.json', config),
      isFor: (other) => other === version,
    });
    if (version === NEWEST) programs.push(...(await withNodeTypes('documents', home, config)));
  }
  const project = writeProject(home, 'loose.json', { compilerOptions: LOOSE, include: ['code/*.ts'] });
  programs.push({ name: 'documents, without strict', project, isFor: isNewest });
  return programs;
}

/** Returns the packages that the code and test/docs/reader.ts import, with their types. */
function packagesOf(blocks: readonly Block[]): string[] {
  const names = new Set(['express', ...blocks.flatMap(({ code }) => readNames(code).modules)]);
  const packages = [...names].filter((name) => name in devDependencies);
  const types = packages.map((name) => `@types/${name}`).filter((name) => name in devDependencies);
  return [...packages, ...types];
}

/** Prepares the same program with each version of Node's types. They are installed nearer to the project. */
function withNodeTypes(name: string, home: string, config: object): Promise<Program[]> {
  return Promise.all(
    NODE_TYPES.map(async (version) => {
      const own = join(home, `node-${version}`);
      await install(own, `@types/node@${version}`);
      const project = writeProject(own, 'project.json', config);
      return { name: `${name}, @types/node ${version}`, project, isFor: isNewest };
    }),
  );
}

function writeProject(home: string, file: string, config: object): string {
  const project = join(home, file);
  writeFileSync(project, JSON.stringify(config));
  return project;
}

async function install(home: string, ...packages: string[]): Promise<void> {
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'package.json'), '{ "name": "consumer", "private": true, "type": "module" }\n');
  await npm(home, 'install', '--no-audit', '--no-fund', ...packages);
}

interface Run {
  readonly name: string;
  readonly tsc: string;
  readonly project: string;
}

/** Compiles as many programs at a time as there are cores. Resolves with the number that did not compile. */
async function runAll(runs: readonly Run[]): Promise<number> {
  const waiting = [...runs];
  let failed = 0;
  const work = async (): Promise<void> => {
    for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) {
      const output = await compile(run);
      if (output === '') continue;
      failed++;
      console.error(`--- ${run.name}\n${output}`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return failed;
}

/** Runs the compiler. Resolves with its output, or with an empty string on success. */
function compile({ tsc, project }: Run): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [tsc, '-p', project], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.on('error', reject);
    child.on('close', (code) => {
      resolve(code === 0 ? '' : output || `exit code ${String(code)}`);
    });
  });
}

async function npm(cwd: string, ...args: string[]): Promise<string> {
  return (await promisify(execFile)('npm', args, { cwd, maxBuffer: 2 ** 24 })).stdout;
}
