import type { Settings } from '../measure.js';

/** What the README and the documentation claim: the ratio, whether or not it is what we wanted. */
export interface Claim {
  work: string;
  against: string;
  /** What we wanted, as text. */
  goal: string;
  measured: string;
  /** `undefined` where nothing was promised. */
  met: boolean | undefined;
}

export interface Table {
  caption: string;
  head: string[];
  rows: string[][];
}

/** What a part has found, ready for JSON. */
export interface Result {
  title: string;
  /** How it was measured. */
  method: string;
  tables: Table[];
  claims: Claim[];
  /** Whose versions it depends on. */
  packages: string[];
  /** How many there were, where not the usual number. */
  rounds?: number;
  /** What the chart shows, by name. */
  bars?: Record<string, Record<string, number>>;
}

export type Part = (settings: Settings) => Promise<Result>;

export function claimAtLeast(
  work: string,
  against: string,
  goal: number | undefined,
  ratio: number,
  beside = '',
): Claim {
  const measured = `${times(ratio)}${beside}`;
  if (goal === undefined) return { work, against, goal: 'none', measured, met: undefined };
  return { work, against, goal: `at least ${goal.toFixed(1)} ×`, measured, met: ratio >= goal };
}

export function claimAtMost(work: string, against: string, goal: number, ratio: number, beside = ''): Claim {
  return {
    work,
    against,
    goal: `at most ${goal.toFixed(1)} ×`,
    measured: `${times(ratio)}${beside}`,
    met: ratio <= goal,
  };
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
