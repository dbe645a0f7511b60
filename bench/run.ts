/**
 * Runs the benchmark: `npm run bench` all parts, `npm run bench -- echo heap` some parts, `-- --quick` in some minutes.
 *
 * A full run writes docs/performance.md and docs/benchmark.svg; a run of some parts replaces their sections. A quick run
 * only prints, because it is too short for reliable figures.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { compileBench, linkPackage } from './build.js';
import { versionsOf } from './candidates.js';
import type { Settings } from './measure.js';
import { measureCrowd } from './parts/crowd.js';
import { measureEcho } from './parts/echo.js';
import { measureFanOut } from './parts/fan-out.js';
import { measureFlood } from './parts/flood.js';
import { measureGrowth } from './parts/growth.js';
import { measureHeap } from './parts/heap.js';
import { measureHistory } from './parts/history.js';
import { measureHttp2 } from './parts/http2.js';
import { measureLatency } from './parts/latency.js';
import type { Part } from './parts/part.js';
import { measureLibrary } from './parts/library.js';
import { measurePeople } from './parts/people.js';
import { measureProfile } from './parts/profile.js';
import { measureRelay } from './parts/relay.js';
import { measureSending } from './parts/sending.js';
import { measureVisits } from './parts/visits.js';
import { renderChart } from './report/chart.js';
import { describeEnvironment } from './report/environment.js';
import { renderMarkdown, renderTable, summary, type Measured } from './report/markdown.js';

const parts: Record<string, Part> = {
  echo: measureEcho,
  library: measureLibrary,
  latency: measureLatency,
  'fan-out': measureFanOut,
  relay: measureRelay,
  history: measureHistory,
  people: measurePeople,
  sending: measureSending,
  visits: measureVisits,
  heap: measureHeap,
  http2: measureHttp2,
  flood: measureFlood,
  growth: measureGrowth,
  crowd: measureCrowd,
  profile: measureProfile,
};

const resultsFile = new URL('results.json', import.meta.url);
const documentFile = new URL('../docs/performance.md', import.meta.url);
const chartFile = new URL('../docs/benchmark.svg', import.meta.url);
const START = '<!-- benchmark: begin -->';
const END = '<!-- benchmark: end -->';

async function run(words: string[]): Promise<void> {
  const quick = words.includes('--quick');
  const names = words.filter((word) => word !== '--quick');
  const unknown = names.find((name) => parts[name] === undefined);
  if (unknown !== undefined) {
    throw new Error(`unknown part "${unknown}"; use ${Object.keys(parts).join(', ')}`);
  }
  const settings: Settings = quick
    ? { quick, rounds: 1, warmUp: 0.3, window: 0.5 }
    : { quick, rounds: 5, warmUp: 0.5, window: 1 };
  linkPackage();
  compileBench();

  const measured: Record<string, Measured> = {};
  for (const name of names.length > 0 ? names : Object.keys(parts)) {
    process.stderr.write(`${name} `);
    const result = await (parts[name] as Part)(settings);
    const versions = versionsOf(result.packages);
    const rounds = result.rounds ?? settings.rounds;
    measured[name] = { result, environment: describeEnvironment(versions, rounds) };
    process.stderr.write('\n');
    for (const table of result.tables)
      console.log(`\n${result.title}. ${table.caption}\n\n${renderTable(table)}`);
  }
  console.log(`\n${renderTable(summary(Object.values(measured).flatMap(({ result }) => result.claims)))}`);
  if (!quick) publish(measured);
}

// A file keeps all results, so that a run of one part replaces only the results of that part.
function publish(measured: Record<string, Measured>): void {
  const kept = existsSync(resultsFile)
    ? (JSON.parse(readFileSync(resultsFile, 'utf8')) as Record<string, Measured>)
    : {};
  const all: Record<string, Measured> = {};
  for (const name of Object.keys(parts)) {
    const part = measured[name] ?? kept[name];
    if (part !== undefined) all[name] = part;
  }
  writeFileSync(resultsFile, `${JSON.stringify(all, null, 2)}\n`);
  writeFileSync(chartFile, renderChart(all));
  const document = readFileSync(documentFile, 'utf8');
  const start = document.indexOf(START) + START.length;
  const end = document.indexOf(END);
  writeFileSync(
    documentFile,
    `${document.slice(0, start)}\n\n${renderMarkdown(all)}\n\n${document.slice(end)}`,
  );
}

await run(process.argv.slice(2));
