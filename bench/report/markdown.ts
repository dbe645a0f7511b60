import type { Claim, Result, Table } from '../parts/part.js';
import type { Environment } from './environment.js';

/** The result of a part, and the environment in which it was measured. */
export interface Measured {
  result: Result;
  environment: Environment;
}

export function renderMarkdown(parts: Record<string, Measured>): string {
  const measured = Object.values(parts);
  return [
    renderTable(summary(measured.flatMap(({ result }) => result.claims))),
    ...Object.entries(parts).map(([name, part]) => renderPart(name, part)),
  ].join('\n\n');
}

/** The summary table: each claim with its goal and its result. */
export function summary(claims: Claim[]): Table {
  return {
    caption: '',
    head: ['work', 'compared with', 'goal', 'measured', 'goal reached'],
    rows: claims.map(({ work, against, goal, measured, met }) => [
      work,
      against,
      goal,
      measured,
      met === undefined ? '' : met ? 'yes' : 'no',
    ]),
  };
}

/** Renders a table as Markdown that is aligned for a terminal, too. */
export function renderTable({ head, rows }: Table): string {
  const widths = head.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] as number)).join(' | ')} |`;
  return [line(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)].join(
    '\n',
  );
}

function renderPart(name: string, { result, environment }: Measured): string {
  const { date, machine, node, rounds, versions } = environment;
  const versionList = Object.entries(versions).map(([library, version]) => `${library} ${version}`);
  return [
    `### ${result.title}`,
    result.method,
    ...result.tables.flatMap((table) =>
      table.caption === result.title ? [renderTable(table)] : [`${table.caption}:`, renderTable(table)],
    ),
    `<sub>\`npm run bench -- ${name}\`, ${date}, ${machine}, ${node}, ${String(rounds)} ${rounds === 1 ? 'round' : 'rounds'}; ${versionList.join(', ')}.</sub>`,
  ].join('\n\n');
}
