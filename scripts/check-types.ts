/**
 * Compiles `test/types` as a user would: against the packed package, as strict as can be and without `skipLibCheck`,
 * with each version of TypeScript that we support, with the types of Express 5, of Express 4, and of none, with those of
 * each Redis client, as ES modules and as CommonJS, and with each way to resolve modules.
 *
 *     npm run build && tsx scripts/check-types.ts
 *
 * Needs the npm registry. What does not depend on another is not combined with it; and between the oldest and the newest
 * TypeScript one way to resolve modules is enough, without the types of Redis clients, which take most of the time.
 */
import { execFile, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const COMPILERS = ['5.6.3', '5.7.3', '5.8.3', '5.9.3', '6.0.3', '7.0.2'];

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
  /** The files of test/types that are compiled; by default all that need no Redis client. */
  readonly files?: readonly string[];
  /** A folder of test/types that is compiled in their place, in one way: types of this size take their time. */
  readonly folder?: string;
}

const PARTS = pinned('@types/connect', '@types/express-session', '@types/passport', '@types/supertest');
const CONSUMERS: readonly Consumer[] = [
  { name: 'Express 5', types: [...pinned('@types/express'), ...PARTS] },
  { name: 'Express 4', types: ['@types/express@4.17.25', ...PARTS] },
  { name: 'no Express', types: pinned('@types/connect'), files: ['expect.ts', 'bare.ts'] },
  { name: 'Redis', types: pinned('redis', 'redis5', 'ioredis', 'ioredis5'), folder: 'redis' },
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

const folder = mkdtempSync(join(tmpdir(), 'dwebsocket-types-'));
try {
  const tarball = await pack();
  const [compilers, ...consumers] = await Promise.all([
    installCompilers(),
    ...CONSUMERS.map((consumer) => prepare(consumer, tarball)),
  ]);
  const programs = consumers.flat();
  const runs = compilers.flatMap(({ version, tsc }) =>
    programs
      .filter(({ isUsual }) => isUsual || version === COMPILERS[0] || version === COMPILERS.at(-1))
      .map(({ name, project }) => ({ name: `TypeScript ${version}, ${name}`, tsc, project })),
  );
  const failed = await runAll(runs);
  if (failed > 0) throw new Error(`${failed} of ${runs.length} programs do not compile`);
  console.log(`${runs.length} programs compile: TypeScript ${COMPILERS.join(', ')}`);
} finally {
  // When one installation fails the others still write there.
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
}

async function pack(): Promise<string> {
  if (!existsSync(join(root, 'dist/index.js'))) throw new Error('there is nothing to pack: npm run build');
  const output = await npm(root, 'pack', '--json', '--ignore-scripts', '--pack-destination', folder);
  const [packed] = JSON.parse(output) as { filename: string }[];
  if (packed === undefined) throw new Error(`npm pack made nothing: ${output}`);
  return join(folder, packed.filename);
}

async function installCompilers(): Promise<{ version: string; tsc: string }[]> {
  const home = join(folder, 'compilers');
  await install(home, ...COMPILERS.map((version) => `typescript-${version}@npm:typescript@${version}`));
  return COMPILERS.map((version) => ({
    version,
    tsc: join(home, `node_modules/typescript-${version}/bin/tsc`),
  }));
}

interface Program {
  readonly name: string;
  readonly project: string;
  /** Compiled with each TypeScript, and not only with the oldest and the newest. */
  readonly isUsual: boolean;
}

/** A user's project, with a program for each way in which it can be compiled. */
async function prepare(consumer: Consumer, tarball: string): Promise<Program[]> {
  const { name, types, files, folder: part } = consumer;
  const home = join(folder, name.replace(' ', '-'));
  await install(home, tarball, ...types, ...pinned('@types/node'));
  if (existsSync(join(home, 'node_modules/@types/ws'))) throw new Error('@types/ws must not be needed');
  const isWanted = (path: string) =>
    files === undefined
      ? !path.endsWith('.test.ts')
      : path.endsWith('types') || files.some((file) => path.endsWith(`/${file}`));
  for (const type of ['module', 'commonjs']) {
    cpSync(join(root, 'test/types'), join(home, type), { recursive: true, filter: isWanted });
    writeFileSync(join(home, type, 'package.json'), JSON.stringify({ type }));
  }
  const programs: Program[] = [];
  const add = (title: string, isUsual: boolean, include: string, options: object): void => {
    const project = join(home, `${String(programs.length)}.json`);
    writeFileSync(
      project,
      JSON.stringify({ compilerOptions: { ...STRICT, ...options }, include: [include] }),
    );
    programs.push({ name: `${name}, ${title}`, project, isUsual });
  };
  if (part !== undefined) {
    add('nodenext', false, `*/${part}/*.ts`, RESOLUTIONS.nodenext);
    return programs;
  }
  for (const [title, resolution] of Object.entries(RESOLUTIONS)) {
    add(title, title === 'nodenext', '*/*.ts', resolution);
  }
  if (files === undefined) add('nodenext, augmented', false, '*/augmented/*.ts', RESOLUTIONS.nodenext);
  const unchecked = { ...RESOLUTIONS.nodenext, noUncheckedIndexedAccess: false };
  add('without noUncheckedIndexedAccess', false, '*/*.ts', unchecked);
  return programs;
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

/** Compiles as many programs at a time as there are cores; returns how many did not compile. */
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

/** What the compiler says; nothing when all is well. */
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
