import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

/** Bundles `dwebsocket/client` to one ES module without imports. A page loads it without a bundler. */
export function bundleClient({ minify = false } = {}): string {
  const { outputFiles, metafile } = buildSync({
    entryPoints: [fileURLToPath(new URL('../src/client/index.ts', import.meta.url))],
    bundle: true,
    minify,
    format: 'esm',
    target: 'es2022',
    write: false,
    metafile: true,
  });
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports);
  if (imports.length > 0) throw new Error(`the client imports ${imports.map(({ path }) => path).join(', ')}`);
  return outputFiles[0]?.text ?? '';
}
