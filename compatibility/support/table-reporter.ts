import { writeFileSync } from 'node:fs';
import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import type { Reporter, TestModule } from 'vitest/node';
import type { Subject } from './subject.js';
import { pageOf, readResults, renderTable, replaceTable, writeResults, type Row } from './table.js';
import { installedVersion } from './versions.js';

const folder = fileURLToPath(new URL('../', import.meta.url));

interface Found {
  readonly subject: Subject;
  readonly seen: Map<string, string>;
}

/** Writes what the tests have seen to `results.json` of each folder, and to the tables of the pages. */
export default class TableReporter implements Reporter {
  async onTestRunEnd(modules: readonly TestModule[]): Promise<void> {
    const groups = new Map<string, Map<string, Found>>();
    for (const module of modules) {
      const [group = ''] = relative(folder, module.moduleId).split(sep);
      const found = groups.get(group) ?? new Map<string, Found>();
      groups.set(group, found);
      for (const test of module.children.allTests()) {
        const { compatibility: cell } = test.meta();
        if (cell === undefined) continue;
        const row = found.get(cell.subject.name) ?? {
          subject: cell.subject,
          seen: new Map<string, string>(),
        };
        found.set(cell.subject.name, row);
        const seen = test.result().state === 'passed' ? (cell.seen ?? 'yes') : 'no';
        row.seen.set(cell.column, worse(row.seen.get(cell.column), seen));
      }
    }
    for (const [group, found] of groups) if (found.size > 0) await write(group, [...found.values()]);
  }
}

/** Of the tests that share a cell, one that failed counts for all; then one that said more than `yes`. */
function worse(before: string | undefined, now: string): string {
  if (before === undefined || before === 'yes' || now === 'no') return now;
  return before;
}

/** Replaces the rows that were tested now; those that were not stay. */
async function write(group: string, found: readonly Found[]): Promise<void> {
  const now = found.map((each) => toRow(group, each));
  const rows = [
    ...readResults(group).filter(({ name }) => now.every((row) => row.name !== name)),
    ...now,
  ].sort((a, b) => a.name.localeCompare(b.name, 'en'));
  writeResults(group, rows);
  const { path, text } = pageOf(group);
  const style = await resolveConfig(path);
  writeFileSync(
    path,
    await format(replaceTable(text, group, renderTable(rows)), { ...style, filepath: path }),
  );
  console.log(`wrote the table of ${group} to ${relative(folder, path)}`);
}

function toRow(group: string, { subject, seen }: Found): Row {
  const { name, packages = [], version, needs } = subject;
  return {
    name,
    packages: Object.fromEntries(packages.map((each) => [each, installedVersion(group, each)])),
    ...(version === undefined ? {} : { version }),
    ...(needs === undefined ? {} : { needs }),
    seen: [...seen],
  };
}
