/**
 * Measures what becomes of each fault with each library, and writes docs/faults.md:
 *
 *     npx tsx bench/faults/run.ts [part of a row's name]
 *
 * Each cell has a process of its own. With a part of a name only those rows are measured, and nothing is written.
 */
import { createRequire } from 'node:module';
import { readFile, writeFile } from 'node:fs/promises';
import { candidates } from './candidates.js';
import { renderPage } from './page.js';
import { rows, type Cell, type Row } from './rows.js';
import { Subject, until } from './subject.js';

const filter = process.argv[2] ?? '';
const chosen = rows.filter(({ name }) => name.includes(filter));
const table: Cell[][] = [];
for (const row of chosen) {
  console.log(row.name);
  const cells: Cell[] = [];
  for (const candidate of candidates) {
    const cell = await measure(candidate.module, row);
    console.log(`  ${candidate.name.padEnd(20)} ${cell.outcome.padEnd(6)} ${cell.detail}`);
    cells.push(cell);
  }
  table.push(cells);
}
if (filter === '') {
  const versions = await Promise.all(candidates.flatMap(({ packages }) => packages).map(readVersion));
  const page = new URL('../../docs/faults.md', import.meta.url);
  await writeFile(page, await renderPage(chosen, candidates, table, [...new Set(versions)]));
}

async function measure(candidate: string, row: Row): Promise<Cell> {
  const { apps } = (await import(`./candidates/${candidate}.ts`)) as { apps: Record<string, unknown> };
  if (apps[row.app] === null) return { outcome: '–', detail: 'has no such thing' };
  const subject = new Subject(candidate, row.app);
  try {
    if (!(await subject.start())) return { outcome: 'dies', detail: `at its start: ${subject.lastWords}` };
    const cell = await row
      .play(subject)
      .catch((error: unknown): Cell => ({ outcome: 'hangs', detail: String(error) }));
    // A process takes a moment to die.
    await until(() => subject.hasDied, 300);
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
