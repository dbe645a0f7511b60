import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

/** Bundles `dwebsocket/client` to one ES module without imports. A page loads it without a bundler. */
export function bundleClient(): string {
  const { outputFiles } = buildSync({
    entryPoints: [fileURLToPath(new URL('../src/client/index.ts', import.meta.url))],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
  });
  return outputFiles[0]?.text ?? '';
}
