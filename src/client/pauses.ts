import type { Settings } from './options.js';
import { SPREAD } from './limits.js';

/**
 * Returns the shortest pause after a number of losses in a row.
 *
 * @param chance A random number from 0 to 1, for a pause up to `SPREAD` times as long. All are equally likely.
 */
export const pauseAfter = (losses: number, { minPause, maxPause }: Settings, chance = 0): number =>
  Math.min(maxPause / SPREAD, minPause * 2 ** (losses - 1)) * (1 + chance * (SPREAD - 1));
