import type { Settings } from './options.js';

/**
 * Returns the shortest pause after a number of losses in a row.
 *
 * @param chance A random number from 0 to 1 for a longer one. All pauses between the two are equally likely.
 */
export function pauseAfter(losses: number, { minPause, maxPause }: Settings, chance = 0): number {
  /** The longest pause is this many times as long, so that the clients of a restarted server spread. */
  const SPREAD = 5;
  return Math.min(maxPause / SPREAD, minPause * 2 ** (losses - 1)) * (1 + chance * (SPREAD - 1));
}
