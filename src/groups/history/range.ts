import type { Wanted } from './window.js';

/** Says which of the kept messages the app wants. */
export interface HistoryRange {
  /**
   * Gives the id of a message, or a position: then what came after it. An id that is unknown counts as too old. You may pass
   * what a client has sent; `undefined`, `null` and `''` mean that there is none.
   */
  since?: unknown;
  /** Gives the last messages of this number, if there is no `since`. */
  last?: number | undefined;
}

/** Of two ids, that of the member itself is newer: a client sends it when it reconnects, with the same URL. */
export function wantedOf({ since, last }: HistoryRange, ofMember: unknown, unlessGiven: number): Wanted {
  return { since: [ofMember, since].find(isGiven), last: last ?? unlessGiven };
}

function isGiven(id: unknown): boolean {
  return id !== undefined && id !== null && id !== '';
}
