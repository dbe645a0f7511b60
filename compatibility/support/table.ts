import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A row of a table: a subject, and what its tests have seen. */
export interface Row {
  readonly name: string;
  /** The packages under test, with the versions that were installed. */
  readonly packages: Readonly<Record<string, string>>;
  /** The version of what npm does not install. */
  readonly version?: string;
  readonly needs?: string;
  /** What was seen, column by column. An object would sort columns such as `404`. */
  readonly seen: readonly (readonly [column: string, seen: string])[];
}

const root = fileURLToPath(new URL('../../', import.meta.url));
const docs = `${root}docs/`;

/** The folders of `compatibility` that have results. */
export function groupsWithResults(): string[] {
  return readdirSync(`${root}compatibility`).filter((group) => existsSync(resultsOf(group)));
}

/** Reads what the tests of a folder of `compatibility` have seen. */
export function readResults(group: string): Row[] {
  const file = resultsOf(group);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Row[]) : [];
}

export function writeResults(group: string, rows: readonly Row[]): void {
  writeFileSync(resultsOf(group), `${JSON.stringify(rows, null, 2)}\n`);
}

/** The cells of a table: the head, and one line for each row. */
export function cellsOf(rows: readonly Row[]): string[][] {
  const columns = [...new Set(rows.flatMap(({ seen }) => seen.map(([column]) => column)))];
  const needs = rows.some((row) => row.needs !== undefined) ? ['what is needed'] : [];
  const head = ['', 'version', ...needs, ...columns];
  const lines = rows.map((row) => [
    row.name,
    versionsOf(row),
    ...needs.map(() => row.needs ?? 'nothing'),
    ...columns.map((column) => row.seen.find(([each]) => each === column)?.[1] ?? ''),
  ]);
  return [head, ...lines];
}

export function renderTable(rows: readonly Row[]): string {
  const [head = [], ...lines] = cellsOf(rows);
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

/** Reads the cells of the table of a folder from the page that has it. */
export function cellsInPage(group: string): string[][] {
  const { text } = pageOf(group);
  const [, table = ''] = MARKED(group).exec(text) ?? [];
  const lines = table.split('\n').filter((line) => line.startsWith('|'));
  return lines
    .filter((line) => !/^[|\s:-]+$/.test(line))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** The page that has the marks of a folder's table. @throws An error if no page has them. */
export function pageOf(group: string): { readonly path: string; readonly text: string } {
  for (const name of readdirSync(docs).filter((each) => each.endsWith('.md'))) {
    const text = readFileSync(docs + name, 'utf8');
    if (MARKED(group).test(text)) return { path: docs + name, text };
  }
  throw new Error(`no page has a place for this table; add ${begin(group)} and ${END} to a page in docs`);
}

/** The text of a page with another table between the marks. */
export function replaceTable(text: string, group: string, table: string): string {
  return text.replace(MARKED(group), () => `${begin(group)}\n\n${table}\n${END}`);
}

const resultsOf = (group: string) => `${root}compatibility/${group}/results.json`;

const begin = (group: string) => `<!-- compatibility: begin ${group} -->`;
const END = '<!-- compatibility: end -->';
const MARKED = (group: string) => new RegExp(`${begin(group)}\\n([^]*?)${END}`);

/** One package: its version. Several: each with its name. */
function versionsOf({ packages, version }: Row): string {
  const versions = Object.entries(packages);
  const [first, ...others] = versions;
  if (first !== undefined && others.length === 0 && version === undefined) return first[1];
  return [...(version === undefined ? [] : [version]), ...versions.map((each) => each.join(' '))].join(', ');
}
