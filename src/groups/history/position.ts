/**
 * Identifies an entry of a group's history.
 *
 * Within an era, the index rises by one. A history that begins anew (after a restart, or when it had expired) has a later
 * era. The mark tells two entries apart that have the same era and index: of two processes without a backplane, or because
 * Redis has returned to an earlier state. Without a mark, it is a time of Redis's clock at which the group had no entries.
 */
export interface Position {
  /** When the era began, in milliseconds since 1970. */
  readonly era: number;
  readonly index: number;
  readonly mark: string;
}

/** A position as a client names it. */
export interface Since extends Position {
  /** Whether the position is just before the entry, and not after it. */
  readonly isBefore: boolean;
}

const FORMAT = /^(~?)(\d{1,16})-(\d{1,16})(?:\.(\w{1,8}))?$/;

/** Returns the id of an entry. It needs no escaping in a URL or a header. */
export function formatPosition({ era, index, mark }: Position): string {
  return mark === '' ? `${era}-${index}` : `${era}-${index}.${mark}`;
}

/** Returns an id that stands just before an entry. */
export function formatBefore(position: Position): string {
  return `~${formatPosition(position)}`;
}

/** Parses an id that a client has sent. Returns `undefined` for anything else. */
export function parsePosition(id: unknown): Since | undefined {
  const match = typeof id === 'string' ? FORMAT.exec(id) : null;
  if (match === null) return undefined;
  const [, before, era, index, mark = ''] = match;
  return { era: Number(era), index: Number(index), mark, isBefore: before !== '' };
}

/** Returns a negative number if `one` is earlier, and 0 if both have the same era and index. */
export function comparePositions(one: Position, other: Position): number {
  return one.era - other.era || one.index - other.index;
}
