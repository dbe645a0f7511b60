/**
 * Builds `dist`: one CommonJS implementation, and a thin ESM wrapper for each entry point of package.json.
 *
 * Two builds would be two instances: a server attached through `require` would not know a route wrapped through `import`.
 * A wrapper only re-exports the CommonJS file, so that `import` and `require` load the same module. It lists all names,
 * because bundlers cannot resolve `export *` from CommonJS.
 */
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { readEntries } from './entries.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);

rmSync(`${root}/dist`, { recursive: true, force: true });
execFileSync(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
writeFileSync(`${root}/dist/package.json`, '{ "type": "commonjs" }\n');

for (const { file } of readEntries()) {
  const names = Object.keys(require(`${root}/dist/${file}.js`) as object).sort();
  const target = `./${file.slice(file.lastIndexOf('/') + 1)}.js`;
  writeFileSync(`${root}/dist/${file}.mjs`, `export { ${names.join(', ')} } from '${target}';\n`);
  writeFileSync(`${root}/dist/${file}.d.mts`, `export * from '${target}';\n`);
  console.log(`dist/${file}: ${names.join(', ')}`);
}
