import { format, resolveConfig } from 'prettier';
import type { Candidate } from './candidates.js';
import type { Section } from './rows/index.js';
import type { Cell, Row } from './rows/row.js';

/** The cells of each row, in the order of the candidates. */
export type Results = Map<Row, Cell[]>;

/** docs/faults.md: a table for each section, then what was seen in each row. */
export async function renderPage(
  sections: Section[],
  candidates: Candidate[],
  results: Results,
  versions: string[],
): Promise<string> {
  const lines = [
    '# When clients and apps misbehave',
    '',
    '<!-- Written by bench/faults/run.ts; change it there. -->',
    '',
    '```sh',
    'node scripts/setup.mjs bench && npx tsx bench/faults/run.ts',
    '```',
    '',
    'This page compares libraries in situations that happen sooner or later: a client breaks a rule, a connection',
    'breaks, a handler throws. Each app is built as the documentation of its library says. Each cell is measured in a',
    'process of its own.',
    '',
    '- **ok**: the library does what [the second part](#what-was-seen) says under “Wanted”.',
    '- **lost**: a message, an answer, a header or an error is lost or changed. The process lives.',
    '- **grows**: one client makes the resident memory of the process rise by more than 64 MiB.',
    '- **hangs**: a client, a handler or the app waits for ever. The measurement gives up after some seconds.',
    '- **dies**: the process ends.',
    '- –: the library does not offer what the row needs.',
    '',
    'Some kinds of fault do not show to a client: types that do not compile, monitoring agents that miss a request, and a',
    'warning that the developer does not get. For dwebsocket, tests cover them: `test/types`,',
    '`test/http-channels.test.ts` and `test/notices.test.ts`.',
    '',
    `Measured on Node.js ${process.versions.node} with ${versions.join(', ')}.`,
    '',
    ...sections.flatMap((section) => renderTable(section, candidates, results)),
    '## What was seen',
    '',
    ...[...results].flatMap(([row, cells]) => describeRow(row, candidates, cells)),
  ];
  const options = await resolveConfig(new URL(import.meta.url));
  return format(lines.join('\n'), { ...options, parser: 'markdown' });
}

function renderTable({ title, rows }: Section, candidates: Candidate[], results: Results): string[] {
  return [
    `## ${title}`,
    '',
    `| what happens | ${candidates.map(({ name }) => name).join(' | ')} |`,
    `| --- |${' --- |'.repeat(candidates.length)}`,
    ...rows.map((row) => `| ${row.name} | ${(results.get(row) ?? []).map(showOutcome).join(' | ')} |`),
    '',
  ];
}

function showOutcome({ outcome }: Cell): string {
  return outcome === 'ok' || outcome === '–' ? outcome : `**${outcome}**`;
}

/** Libraries with the same outcome and the same detail share a line. */
function describeRow({ name, wanted }: Row, candidates: Candidate[], cells: Cell[]): string[] {
  const seen = new Map<string, string[]>();
  candidates.forEach((candidate, i) => {
    const { outcome, detail } = cells[i] as Cell;
    if (outcome === '–') return;
    const line = `${showOutcome({ outcome, detail })}, ${detail.replaceAll(/[<>|`]/g, ' ')}`;
    seen.set(line, [...(seen.get(line) ?? []), candidate.name]);
  });
  return [
    `### ${name}`,
    '',
    `Wanted: ${wanted}.`,
    '',
    ...[...seen].map(([line, names]) => `- ${names.join(', ')}: ${line}`),
    '',
  ];
}
