import type { Settings } from './options.js';
import type { HistoryStart } from './types.js';

/**
 * Returns the id of a message, or the position of a message of `welcome`, and whether it is one of `welcome`: a function
 * `stamp` does not get that one, because it need not have the fields of a message.
 *
 * The position also counts if messages are missing: it is after what cannot be had any more, and before the next message.
 *
 * @throws What the function `stamp` throws.
 */
export function locate(message: unknown, { stamp }: Settings): [id: unknown, isStart: boolean] {
  const fields = (message ?? {}) as Record<string, unknown> & Partial<HistoryStart>;
  const { position, complete } = fields;
  const id = stamp && fields[stamp as string];
  if (id == null && typeof position === 'string' && typeof complete === 'boolean')
    return [stamp && position, true];
  return [typeof stamp === 'function' ? stamp(message) : id, false];
}
