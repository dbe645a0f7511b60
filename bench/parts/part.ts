import type { Settings } from '../measure.js';

/** One comparison that the README and the documents publish, whether or not it reaches its goal. */
export interface Claim {
  work: string;
  against: string;
  /** The goal, as text. */
  goal: string;
  measured: string;
  /** Whether the goal was reached; `undefined` without a goal. */
  met: boolean | undefined;
}

export interface Table {
  caption: string;
  head: string[];
  rows: string[][];
}

/** The result of a part, ready for JSON. */
export interface Result {
  title: string;
  /** How it was measured. */
  method: string;
  tables: Table[];
  claims: Claim[];
  /** The packages whose versions the result depends on. */
  packages: string[];
  /** The number of rounds, if not the usual one. */
  rounds?: number;
  /** The bars of the chart, by scenario and candidate. */
  bars?: Record<string, Record<string, number>>;
}

export type Part = (settings: Settings) => Promise<Result>;

export function claimAtLeast(
  work: string,
  against: string,
  goal: number | undefined,
  ratio: number,
  detail = '',
): Claim {
  const measured = `${times(ratio)}${detail}`;
  if (goal === undefined) return { work, against, goal: 'none', measured, met: undefined };
  return { work, against, goal: `at least ${shortest(goal)} ×`, measured, met: ratio >= goal };
}

export function claimAtMost(work: string, against: string, goal: number, ratio: number, detail = ''): Claim {
  return {
    work,
    against,
    goal: `at most ${shortest(goal)} ×`,
    measured: `${times(ratio)}${detail}`,
    met: ratio <= goal,
  };
}

/** Formats with one decimal place, or more if the goal has more. */
function shortest(goal: number): string {
  return Number.isInteger(goal * 10) ? goal.toFixed(1) : String(goal);
}

export function times(ratio: number): string {
  return `${ratio.toFixed(2)} ×`;
}

export function thousands(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(0)} k`;
  if (value >= 1e3) return `${(value / 1e3).toFixed(1)} k`;
  return value.toFixed(0);
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

export function kilobytes(bytes: number): string {
  return `${(bytes / 1024).toFixed(2)} KiB`;
}

export function bytes(value: number): string {
  return value >= 100 * 1024 ? `${count(value / 1024)} KiB` : `${count(value)} B`;
}

export function micros(value: number): string {
  return `${count(value)} µs`;
}

export function milliseconds(value: number): string {
  return value >= 100 ? `${count(value)} ms` : `${value.toFixed(2)} ms`;
}

/** Rounds to a whole number, with commas. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}

export function describeRange(values: number[]): string {
  const least = count(Math.min(...values));
  const most = count(Math.max(...values));
  return least === most ? least : `${least} to ${most}`;
}
