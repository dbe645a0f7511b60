import type { Settings } from './options.js';
import type { HistoryStart } from './types.js';

/** Remembers the place of the client in the history of a group. */
export function createHistoryPosition({ stamp }: Settings) {
  let since: string | undefined;
  const idOf =
    typeof stamp === 'string'
      ? (message: unknown) => (message as Record<string, unknown> | null)?.[stamp]
      : stamp;

  return {
    /** Returns the id to come back with. */
    get: () => since,

    /** Returns whether the message is that of `welcome`, and remembers its position. */
    takeStart(message: unknown): message is HistoryStart {
      const { position, complete } = (message ?? {}) as Partial<HistoryStart>;
      const isStart =
        typeof position === 'string' && typeof complete === 'boolean' && (idOf?.(message) ?? null) === null;
      // Also if messages are missing: the position is after what cannot be had any more, and before the next message.
      if (isStart && idOf) since = position;
      return isStart;
    },

    /** Remembers the id of a message, if it has one. */
    remember(message: unknown): void {
      const id = idOf?.(message) ?? since;
      since = id === undefined ? id : String(id);
    },
  };
}
