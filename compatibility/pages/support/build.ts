/** Builds the pages: the code of docs/client.md, with a program that mounts it. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync, type BuildOptions } from 'esbuild';
import { writePage } from '../../support/page.js';

const folder = fileURLToPath(new URL('../', import.meta.url));
const require = createRequire(import.meta.url);

export interface Page {
  /** The script for the browser. */
  readonly script: string;
  /** Renders the component on the server, as HTML. */
  render(): string | Promise<string>;
}

export function buildReact(): Page {
  writeFiles('react');
  return build('react', 'jsx', { jsx: 'automatic', jsxDev: true });
}

export function buildVue(): Page {
  const written = writeFiles('vue');
  const { parse, compileScript } = require('vue/compiler-sfc') as typeof import('vue/compiler-sfc');
  const file = join(written, 'chat.vue');
  const { descriptor } = parse(readFileSync(file, 'utf8'), { filename: file });
  writeFileSync(file, compileScript(descriptor, { id: 'chat', inlineTemplate: true }).content);
  return build('vue', 'js', {
    loader: { '.vue': 'js' },
    define: {
      __VUE_OPTIONS_API__: 'true',
      __VUE_PROD_DEVTOOLS__: 'false',
      __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'true',
    },
  });
}

function writeFiles(name: string): string {
  const written = join(folder, '.page', name);
  rmSync(written, { recursive: true, force: true });
  writePage('docs/client.md', written, [name]);
  return written;
}

function build(name: string, extension: string, options: BuildOptions): Page {
  const bundle = (entry: string, how: BuildOptions): string => {
    const [output] = buildSync({
      ...options,
      ...how,
      entryPoints: [join(folder, 'programs', `${entry}.${extension}`)],
      // In development, React mounts twice, and both libraries report mistakes.
      define: { ...options.define, 'process.env.NODE_ENV': '"development"' },
      bundle: true,
      write: false,
    }).outputFiles;
    return output?.text ?? '';
  };
  const serverFile = join(folder, '.page', name, 'server.cjs');
  writeFileSync(serverFile, bundle(`${name}-server`, { platform: 'node', format: 'cjs' }));
  const { render } = require(serverFile) as Pick<Page, 'render'>;
  return { script: bundle(name, { platform: 'browser', format: 'esm' }), render };
}
