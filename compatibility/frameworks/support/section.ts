import { fileURLToPath } from 'node:url';
import { writePage } from '../../support/page.js';
import { startProgram, type Program, type StartOptions } from '../../support/program.js';

const folder = fileURLToPath(new URL('../.page/', import.meta.url));

/** Starts the program of a section of docs/frameworks.md. The aliases are those of `writePage`. */
export function startSection(
  anchor: string,
  { aliases, ...options }: StartOptions & { aliases?: Record<string, string> } = {},
): Promise<Program> {
  // A folder for each section, since other test files write theirs at the same time.
  const home = `${folder}${anchor}/`;
  const [, file = ''] = writePage('docs/frameworks.md', home, ['the-handlers', anchor], aliases);
  return startProgram([home + file], { cwd: home, ...options });
}
