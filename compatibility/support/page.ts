import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readDocument, type Block } from '../../test/docs/document.js';

/** A block of code that begins with the name of its file: `// server.mjs`, `<!-- page.html -->`. */
const FILE = /^(?:\/\/|#|<!--) ([\w./-]+\.\w+)(?: -->)?$/;

/**
 * Writes the code of a page to files, so that a test runs what the page shows. A block that begins with a comment such as
 * `// server.mjs` becomes that file; others have no file.
 *
 * @param page The page, such as `docs/frameworks.md`.
 * @param folder Where the files go. Call it `.page`: then Git, ESLint and Prettier ignore it.
 * @param anchors The headings whose blocks are written. By default all of the page.
 * @param aliases Packages that the code imports, with the names under which package.json installs them.
 * @returns The names of the files.
 */
export function writePage(
  page: string,
  folder: string,
  anchors?: readonly string[],
  aliases: Readonly<Record<string, string>> = {},
): string[] {
  const blocks = readDocument(page).blocks.filter(({ anchor }) => anchors?.includes(anchor) ?? true);
  const names = blocks.flatMap((block) => {
    const name = fileOf(block);
    if (name === undefined) return [];
    const file = join(folder, name);
    mkdirSync(dirname(file), { recursive: true });
    const code = Object.entries(aliases).reduce(
      (before, [packageName, installed]) => before.replaceAll(`from '${packageName}'`, `from '${installed}'`),
      block.code,
    );
    writeFileSync(file, `${code}\n`);
    return [name];
  });
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  if (twice.length > 0) throw new Error(`${page} has two files ${twice.join(', ')}; rename one`);
  if (names.length === 0)
    throw new Error(`${page} has no file under ${anchors?.join(', ') ?? 'any heading'}`);
  return names;
}

function fileOf({ code }: Block): string | undefined {
  return FILE.exec(code.slice(0, code.indexOf('\n')))?.[1];
}
