import { optionError } from '../../shared/errors.js';
import type { BackplaneHistory, KeptEntry, KeptPage } from '../history/kept.js';
import type { Position } from '../history/position.js';
import type { StreamSettings } from './options.js';
import {
  ENTRY_BYTES,
  lua,
  MARK_BYTES,
  markOf,
  PAGE_BYTES,
  parseEntry,
  parseReply,
  type Position as StreamPosition,
  readNothing,
  type StreamEntry,
  type StreamId,
} from './stream-entry.js';
import type { StreamTail } from './stream-tail.js';

/**
 * Entries before the history that are read, too, but only their marks. Redis may have an entry twice, if a client has
 * repeated the command. Clients have at most 500 commands in flight, so the first of the two is among these entries.
 */
const EARLIER = 512;

/** The largest index of an entry. */
const LAST_INDEX = '18446744073709551615';

/**
 * Reads entries from the newest to the oldest.
 *
 * ARGV: the last id to read, the maximum number of entries, and how many bytes of each to return (0 for all).
 */
const READ_BACK = lua`
local reply, bytes, last, left, cut = {'start'}, 0, ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
while left > 0 do
  local count = math.min(64, left)
  local page = redis.call('XREVRANGE', KEYS[1], last, '-', 'COUNT', count)
  for _, entry in ipairs(page) do
    if bytes >= ${PAGE_BYTES} then
      reply[1] = 'more'
      return reply
    end
    local id, data = entry[1], entry[2][2]
    if cut > 0 then data = string.sub(data, 1, cut) end
    reply[#reply + 1] = id
    reply[#reply + 1] = data
    reply[#reply + 1] = string.match(entry[2][4] or '', '%d+ %d+ (%d+)') or ''
    bytes = bytes + #data + ${ENTRY_BYTES}
    local era, index = string.match(id, '(%d+)-(%d+)')
    if tonumber(index) > 0 then last = era .. '-' .. string.format('%.0f', index - 1)
    else last = string.format('%.0f', era - 1) .. '-${LAST_INDEX}' end
  end
  if #page < count then return reply end
  left = left - count
end
reply[1] = 'more'
return reply`;

export interface StreamHistoryHost {
  /** Returns the tail of a group that is subscribed. */
  tailOf(group: string): StreamTail | undefined;
  /** Runs a command on the stream of a group. */
  run(group: string, command: (key: string) => (string | Buffer)[]): Promise<unknown>;
}

/** Reads the history of groups from their streams. */
export class StreamHistory implements BackplaneHistory {
  readonly maxAge: number;
  readonly #settings: StreamSettings;
  readonly #host: StreamHistoryHost;
  #limits: { length: number; age: number; maxBytes: number } | undefined;

  constructor(settings: StreamSettings, host: StreamHistoryHost) {
    this.maxAge = settings.maxAge;
    this.#settings = settings;
    this.#host = host;
  }

  /** Whether groups have a history. */
  get isKept(): boolean {
    return this.#limits !== undefined;
  }

  keep(limits: { length: number; age: number; maxBytes: number }): void {
    const { maxLength, maxAge } = this.#settings;
    if (limits.length > maxLength)
      throw optionError(
        RangeError,
        'history.length',
        `at most maxLength of the backplane, ${maxLength}`,
        limits.length,
      );
    if (limits.age > maxAge)
      throw optionError(RangeError, 'history.age', `at most maxAge of the backplane, ${maxAge}`, limits.age);
    this.#limits = limits;
  }

  position(group: string): Position | undefined {
    const place = this.#host.tailOf(group)?.place;
    if (place === undefined) return undefined;
    return typeof place === 'string'
      ? { era: Number(place), index: 0, mark: '' }
      : toPosition(place.id, place.mark);
  }

  async settled(group: string): Promise<void> {
    const tail = this.#host.tailOf(group);
    while (tail?.reading !== undefined) await tail.reading;
  }

  async readEnd(group: string): Promise<Position> {
    const reply = parseReply(await this.#host.run(group, readNothing));
    if (reply.kind === 'none') return { era: Number(reply.now), index: 0, mark: '' };
    const { id, mark } = reply.last as StreamPosition;
    const end = toPosition(id, mark);
    const place = this.position(group);
    if (place !== undefined && !isSame(place, end)) this.#catchUp(group);
    return end;
  }

  /**
   * Reads from a known entry backward, and checks that the stream still has that entry. Otherwise Redis has returned to an earlier
   * state. Then the tail must find out first: entries that it has not delivered must not become history.
   */
  async read(group: string, before: Position | undefined): Promise<KeptPage> {
    const tail = this.#host.tailOf(group);
    if (before === undefined && typeof tail?.place === 'string') return NOTHING;
    const known = before ?? this.position(group);
    const { length = 0, age = 0, maxBytes = 0 } = this.#limits ?? {};
    const oldest = Date.now() - age;
    const entries: KeptEntry[] = [];
    let bytes = 0;
    let last = known === undefined ? '+' : `${known.era}-${known.index}`;
    let isFirst = true;
    let isDone = false;
    while (!isDone) {
      const page = await this.#readPage(group, last, length - entries.length + (isFirst ? 1 : 0), 0);
      if (isFirst && known !== undefined) {
        const [newest] = page.entries;
        if (newest === undefined ? before === undefined : !isSame(newest, known)) {
          this.#catchUp(group);
          throw new Error('the stream has changed; the read will be retried');
        }
        if (before !== undefined) page.entries.shift();
      }
      isFirst = false;
      for (const entry of page.entries.slice(0, length - entries.length)) {
        entries.push(entry);
        bytes += entry.data.length;
      }
      const first = entries.at(-1) ?? before;
      if (page.isStart && (first === undefined || page.entries.at(-1) === entries.at(-1)))
        return { entries: entries.reverse(), earlier: [], isStart: true };
      if (first === undefined) return NOTHING;
      last = previousOf(first);
      isDone = entries.length >= length || bytes >= maxBytes || (entries.at(-1)?.time ?? Infinity) < oldest;
    }
    const { entries: earlier, isStart } = await this.#readPage(group, last, EARLIER, MARK_BYTES);
    return { entries: entries.reverse(), earlier: earlier.reverse(), isStart };
  }

  #catchUp(group: string): void {
    this.#host
      .tailOf(group)
      ?.catchUp(0)
      .catch(() => {
        // The link has failed. It will catch up when it is back.
      });
  }

  /** Reads entries from an id backward. */
  async #readPage(
    group: string,
    last: string,
    count: number,
    cut: number,
  ): Promise<{ entries: KeptEntry[]; isStart: boolean }> {
    const command = (key: string): string[] => [
      'EVAL',
      READ_BACK,
      '1',
      key,
      last,
      String(count),
      String(cut),
    ];
    const [kind, ...rest] = (await this.#host.run(group, command)) as Buffer[];
    const entries: KeptEntry[] = [];
    for (let index = 0; index + 2 < rest.length; index += 3) entries.push(toKept(parseEntry(rest, index)));
    return { entries, isStart: String(kind) === 'start' };
  }
}

const NOTHING: KeptPage = { entries: [], earlier: [], isStart: true };

function isSame(one: Position, other: Position): boolean {
  return one.era === other.era && one.index === other.index && one.mark === other.mark;
}

/** Converts an entry of a stream. */
export function toKept({ id, data, time }: StreamEntry): KeptEntry {
  // Another process without a history has sent it.
  return { ...toPosition(id, markOf(data)), time: time ?? Number(id.era), data };
}

function toPosition({ era, index }: StreamId, mark: string): Position {
  return { era: Number(era), index, mark: shorten(mark) };
}

/** Returns a hash of a mark (FNV-1a). */
function shorten(mark: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < mark.length; index++)
    hash = Math.imul(hash ^ mark.charCodeAt(index), 0x01000193);
  return (hash >>> 0).toString(36);
}

function previousOf({ era, index }: Position): string {
  return index > 0 ? `${era}-${index - 1}` : `${era - 1}-${LAST_INDEX}`;
}
