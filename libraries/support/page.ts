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

/**
 * Runs the block of code under a heading of docs/libraries.md, and returns the app with its routes.
 *
 * @param anchor The anchor of the heading, such as `graphql-ws`.
 */
export async function runBlock(anchor: string): Promise<Express> {
  const { blocks } = readDocument('docs/libraries.md');
  const block = blocks.find((each) => each.anchor === anchor && each.language === 'js');
  if (block === undefined) throw new Error(`docs/libraries.md has no code under #${anchor}`);
  const { free } = readNames(block.code);
  const prelude = Object.entries(GIVEN).flatMap(([name, line]) => (free.has(name) ? [line] : []));
  mkdirSync(folder, { recursive: true });
  const file = `${folder}${anchor}.js`;
  writeFileSync(file, `${prelude.join('\n')}\n${block.code}\n`);
  return ((await import(/* @vite-ignore */ pathToFileURL(file).href)) as { app: Express }).app;
}
