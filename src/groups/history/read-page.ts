import { GroupMessage } from '../group-message.js';
import { readEnvelope, readHeader } from '../envelope.js';
import { DUPLICATE, SequenceTracker } from '../sequence-tracker.js';
import type { KeptPage } from './kept.js';
import { LogEntry } from './log.js';
import { formatPosition, type Position } from './position.js';
import { stampReceived, type Stamper } from './stamp.js';

export interface ReadEntries {
  readonly entries: LogEntry[];
  /** The last message of each process. */
  readonly sequences: SequenceTracker;
}

/**
 * Turns the entries that a backplane has kept into those of a log: without duplicates, and with the gaps.
 */
export function readPage(
  { entries, earlier }: KeptPage,
  stamper: Stamper | undefined,
  ownOrigin?: string,
): ReadEntries {
  const sequences = new SequenceTracker();
  for (const { data } of earlier) {
    const header = readHeader(data);
    if (header !== undefined) sequences.track(header);
  }
  let previous: Position | undefined = earlier.at(-1);
  const read: LogEntry[] = [];
  let isAfterGap = false;
  for (const entry of entries) {
    isAfterGap ||= previous !== undefined && !isNext(entry, previous);
    previous = entry;
    const envelope = entry.index === 0 ? 'a note about a loss' : readEnvelope(entry.data);
    if (typeof envelope === 'string') {
      read.push(new LogEntry(entry, entry.time, undefined, isAfterGap || entry.index === 0));
      isAfterGap = false;
      continue;
    }
    const lost = sequences.track(envelope);
    if (lost === DUPLICATE) continue;
    const groupMessage = envelope.kind === 'close' ? undefined : toMessage(entry, envelope, stamper);
    const sequence = envelope.origin === ownOrigin ? envelope.sequence : 0;
    read.push(new LogEntry(entry, entry.time, groupMessage, isAfterGap || lost > 0, sequence));
    isAfterGap = false;
  }
  return { entries: read, sequences };
}

export function toMessage(
  position: Position,
  {
    bytes,
    binary,
    latest,
  }: { readonly bytes: Buffer; readonly binary: boolean; readonly latest: string | undefined },
  stamper: Stamper | undefined,
): GroupMessage {
  let groupMessage = new GroupMessage(bytes, binary);
  if (stamper !== undefined) groupMessage = stampReceived(stamper, groupMessage, formatPosition(position));
  groupMessage.latest = latest;
  return groupMessage;
}

/** Returns whether no entry is missing between two of them. */
export function isNext(entry: Position, previous: Position): boolean {
  return entry.era === previous.era ? entry.index === previous.index + 1 : entry.index <= 1;
}
