import type { Settings } from './options.js';

/** The longest pause is this many times as long as the shortest, so that the clients of a restarted server spread. */
const SPREAD = 5;

/** Returns the shortest pause after a number of losses in a row. The longest one is `SPREAD` times as long. */
export function shortestPause(losses: number, { minPause, maxPause }: Settings): number {
  return Math.min(maxPause / SPREAD, minPause * 2 ** (losses - 1));
}

/** Draws a pause by chance. All between the shortest and the longest one are equally likely. */
export function drawPause(shortest: number): number {
  return shortest * (1 + Math.random() * (SPREAD - 1));
}
