import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Express } from 'express';
import { readDocument } from '../../test/docs/document.js';
import { readNames } from '../../test/docs/names.js';

const folder = fileURLToPath(new URL('../.page/', import.meta.url));

/** The names that a block may use without an import, as the page says. */
const GIVEN: Record<string, string> = {
  app: "import express from 'express';\nexport const app = express();",
  requireWebsocket: "import { requireWebsocket } from 'dwebsocket';",
  acceptWebsocket: "import { acceptWebsocket } from 'dwebsocket';",
};

/** What a block exports: the app with its routes, and what the block itself exports. */
export type BlockExports = Readonly<Record<string, unknown>> & { readonly app: Express };

/**
 * Runs the block of code under a heading of docs/libraries.md.
 *
 * @param anchor The anchor of the heading, such as `graphql-ws`.
 * @param aliases Names of packages in the block, with the names under which libraries/package.json installs them.
 */
export async function runBlock(anchor: string, aliases: Record<string, string> = {}): Promise<BlockExports> {
  const { blocks } = readDocument('docs/libraries.md');
  const block = blocks.find((each) => each.anchor === anchor && each.language === 'js');
  if (block === undefined) throw new Error(`docs/libraries.md has no code under #${anchor}`);
  const { free } = readNames(block.code);
  const prelude = Object.entries(GIVEN).flatMap(([name, line]) => (free.has(name) ? [line] : []));
  mkdirSync(folder, { recursive: true });
  const file = `${folder}${anchor}.js`;
  const code = Object.entries(aliases).reduce(
    (before, [name, installed]) => before.replaceAll(`from '${name}'`, `from '${installed}'`),
    block.code,
  );
  writeFileSync(file, `${prelude.join('\n')}\n${code}\n`);
  return (await import(/* @vite-ignore */ pathToFileURL(file).href)) as BlockExports;
}
