import { format, resolveConfig } from 'prettier';
import type { Candidate } from './candidates.js';
import type { Cell, Row } from './rows.js';

/** docs/faults.md: the table, what was wanted, and what was seen instead. */
export async function renderPage(
  rows: Row[],
  candidates: Candidate[],
  table: Cell[][],
  versions: string[],
): Promise<string> {
  const lines = [
    '# What becomes of clients and apps that misbehave',
    '',
    '<!-- Written by bench/faults/run.ts; change it there. -->',
    '',
    '```sh',
    'node scripts/setup.mjs bench && npx tsx bench/faults/run.ts',
    '```',
    '',
    'Each cell is measured in a process of its own, with a server built as the documentation of the library says:',
    '**ok**: as it should be; **lost**: a message, an answer or an error gets lost, and the process lives; **hangs**:',
    'somebody waits for ever (2 seconds, here); **dies**: the process ends; –: the library has nothing of the kind.',
    '',
    `| what happens | ${candidates.map(({ name }) => name).join(' | ')} |`,
    `| --- |${' --- |'.repeat(candidates.length)}`,
    ...rows.map(({ name }, i) => `| ${name} | ${(table[i] ?? []).map(show).join(' | ')} |`),
    '',
    `Node.js ${process.versions.node}, ${versions.join(', ')}.`,
    '',
    '## What was wanted, and what was seen',
    '',
    ...rows.flatMap((row, i) => describeRow(row, candidates, table[i] ?? [])),
  ];
  const options = await resolveConfig(new URL(import.meta.url));
  return format(lines.join('\n'), { ...options, parser: 'markdown' });
}

function show({ outcome }: Cell): string {
  return outcome === 'ok' || outcome === '–' ? outcome : `**${outcome}**`;
}

function describeRow({ name, wanted }: Row, candidates: Candidate[], cells: Cell[]): string[] {
  const seen = candidates.map((candidate, i) => {
    const { outcome, detail } = cells[i] as Cell;
    return `- ${candidate.name}: ${outcome}, ${detail.replaceAll(/[<>|`]/g, ' ')}`;
  });
  return [
    `### A ${/^the /.test(name) ? 'server where ' : 'client that '}${name}`,
    '',
    `Wanted: ${wanted}.`,
    '',
    ...seen,
    '',
  ];
}
