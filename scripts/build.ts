/**
 * Builds `dist`: one CommonJS implementation, and a thin ESM wrapper for each entry point of package.json. The client is
 * also an ES module of its own, without imports, so that a browser can load the file.
 *
 * Two builds would be two instances: a server attached through `require` would not know a route wrapped through `import`.
 * A wrapper only re-exports the CommonJS file, so that `import` and `require` load the same module. It lists all names,
 * because bundlers cannot resolve `export *` from CommonJS.
 *
 * The package contains neither sources nor source maps. So the JavaScript is laid out as `src` is, for stack traces and
 * debuggers. It has no comments: the docstrings of public names are in the declarations.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import ts from 'typescript';
import { bundleClient } from './bundle-client.js';
import { readEntries } from './entries.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const require = createRequire(import.meta.url);
const entries = readEntries();
const CLIENT = 'client/index';

rmSync(dist, { recursive: true, force: true });
writeDeclarations();
await writeJavaScript();
for (const { file } of entries) writeFace(file);
await writeClient();

/** Checks the types of `src`, and keeps the declarations that an entry point leads to. */
function writeDeclarations(): void {
  execFileSync(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', 'tsconfig.build.json'], {
    cwd: root,
    stdio: 'inherit',
  });
  const reached = new Set(entries.map(({ file }) => join(dist, `${file}.d.ts`)));
  for (const path of reached) {
    for (const { fileName } of ts.preProcessFile(readFileSync(path, 'utf8')).importedFiles) {
      if (!fileName.startsWith('.')) continue;
      reached.add(resolve(dirname(path), fileName.replace(/\.js$/, '.d.ts')));
    }
  }
  for (const name of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
    const path = join(dist, name);
    if (path.endsWith('.d.ts') && !reached.has(path)) rmSync(path);
  }
}

async function writeJavaScript(): Promise<void> {
  const compilerOptions: ts.CompilerOptions = {
    module: ts.ModuleKind.CommonJS,
    target: ts.ScriptTarget.ES2022,
    esModuleInterop: true,
    removeComments: true,
  };
  for (const name of readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue;
    const source = readFileSync(join(root, 'src', name), 'utf8');
    const { outputText } = ts.transpileModule(source, { compilerOptions });
    const file = join(dist, name.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(file), { recursive: true });
    await writeFormatted(file, outputText);
  }
  writeFileSync(join(dist, 'package.json'), '{ "type": "commonjs" }\n');
}

function writeFace(file: string): void {
  const names = Object.keys(require(join(dist, `${file}.js`)) as object).sort();
  const target = `./${file.slice(file.lastIndexOf('/') + 1)}.js`;
  writeFileSync(join(dist, `${file}.mjs`), `export { ${names.join(', ')} } from '${target}';\n`);
  writeFileSync(join(dist, `${file}.d.mts`), `export * from '${target}';\n`);
  console.log(`dist/${file}: ${names.join(', ')}`);
}

/**
 * Replaces the wrapper of the client by a module with all of its code. A second instance of it does no harm, because it
 * shares no state.
 */
async function writeClient(): Promise<void> {
  // esbuild writes the path of each source as a comment, and keeps docstrings.
  const { outputText } = ts.transpileModule(bundleClient(), {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, removeComments: true },
  });
  await writeFormatted(join(dist, `${CLIENT}.mjs`), outputText);
}

async function writeFormatted(file: string, code: string): Promise<void> {
  const style = await resolveConfig(join(root, 'package.json'));
  writeFileSync(file, await format(code, { ...style, parser: 'babel' }));
}
