/**
 * Measures how each library behaves in each situation, and writes docs/faults.md:
 *
 *     npx tsx bench/faults/run.ts [part of a row's name [candidate]]
 *
 * Each cell has a process of its own. With a part of a name only those rows are measured, and nothing is written.
 */
import { createRequire } from 'node:module';
import { readFile, writeFile } from 'node:fs/promises';
import { candidates } from './candidates.js';
import { renderPage, type Results } from './page.js';
import { sections } from './rows/index.js';
import type { Cell, Row } from './rows/row.js';
import { Subject, until } from './subject.js';

const [, , filter = '', only] = process.argv;
const measured = candidates.filter(({ name }) => only === undefined || name === only);
const results: Results = new Map();
for (const row of sections.flatMap(({ rows }) => rows)) {
  if (!row.name.includes(filter)) continue;
  console.log(row.name);
  const cells: Cell[] = [];
  for (const candidate of measured) {
    const cell = await measure(candidate.module, row);
    console.log(`  ${candidate.name.padEnd(20)} ${cell.outcome.padEnd(6)} ${cell.detail}`);
    cells.push(cell);
  }
  results.set(row, cells);
}
if (filter === '') {
  const versions = await Promise.all(candidates.flatMap(({ packages }) => packages).map(readVersion));
  const page = new URL('../../docs/faults.md', import.meta.url);
  await writeFile(page, await renderPage(sections, candidates, results, [...new Set(versions)]));
}

async function measure(candidate: string, row: Row): Promise<Cell> {
  const { apps } = (await import(`./candidates/${candidate}.ts`)) as { apps: Record<string, unknown> };
  if (apps[row.app] === null) return { outcome: '–', detail: '' };
  const subject = new Subject(candidate, row.app);
  try {
    if (!(await subject.start())) return { outcome: 'dies', detail: `at its start: ${subject.lastWords}` };
    const cell = await row
      .play(subject)
      .catch((error: unknown): Cell => ({ outcome: 'hangs', detail: String(error) }));
    // A process takes a moment to die, and answers no more.
    await until(() => subject.hasDied, 300);
    await subject.memory().catch(() => undefined);
    return subject.hasDied ? { outcome: 'dies', detail: subject.lastWords } : cell;
  } finally {
    await subject.end();
  }
}

async function readVersion(name: string): Promise<string> {
  if (name === 'dwebsocket')
    return `dwebsocket ${await versionIn(new URL('../../package.json', import.meta.url))}`;
  const main = createRequire(import.meta.url).resolve.paths(name) ?? [];
  for (const folder of main) {
    try {
      return `${name} ${await versionIn(`${folder}/${name}/package.json`)}`;
    } catch {
      // not in this folder
    }
  }
  throw new Error(`${name} is not installed`);
}

async function versionIn(file: URL | string): Promise<string> {
  return (JSON.parse(await readFile(file, 'utf8')) as { version: string }).version;
}
