import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';

/** The client as one ES module without imports, as a page loads it. */
export async function buildClient({ minify = false } = {}): Promise<Uint8Array> {
  const { outputFiles, metafile } = await build({
    entryPoints: [fileURLToPath(new URL('../../../src/client/index.ts', import.meta.url))],
    bundle: true,
    minify,
    format: 'esm',
    target: 'es2022',
    write: false,
    metafile: true,
  });
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports);
  if (imports.length > 0) throw new Error(`the client imports ${imports.map(({ path }) => path).join(', ')}`);
  return outputFiles[0]!.contents;
}
