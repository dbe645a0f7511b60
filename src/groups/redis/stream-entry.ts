/**
 * Identifies an entry of a stream: `<era>-<index>`.
 *
 * Within an era the index rises by one, so a gap shows missing entries. A new stream begins an era with index 1: for a new
 * group, after the old stream has expired, or after Redis has lost it. The number of the era is the time of its beginning,
 * in milliseconds of Redis's clock.
 *
 * An era with index 0 begins with a note. The note says that Redis has returned to an earlier state, and has lost entries of
 * the previous era.
 */
export interface StreamId {
  readonly era: string;
  readonly index: number;
}

export interface StreamEntry {
  readonly id: StreamId;
  readonly data: Buffer;
  /** When it was added, in milliseconds of Redis's clock. Only streams of groups with a history have it. */
  readonly time?: number | undefined;
}

/** An entry as subscribers receive it. */
export interface PublishedEntry extends StreamEntry {
  /** The mark of the previous entry; empty for the first entry of a stream. */
  readonly previous: string;
}

/** The first bytes of an entry's data identify it (its mark). They include the header of the envelope. */
export const MARK_BYTES = 32;

/** Bytes of memory for an entry without its data. MEMORY USAGE shows 20 to 90 bytes. */
export const ENTRY_BYTES = 64;

/** Bytes of entries in one reply. A reply has at least one entry. */
export const PAGE_BYTES = 2 ** 16;

/** An id that no entry has. */
const NOWHERE = '0-0';

/** Removes the indentation of a script, because each command contains the script. */
export function lua(strings: TemplateStringsArray, ...values: unknown[]): string {
  return String.raw(strings, ...values).replace(/\n\s*/g, '\n');
}

// Returns the milliseconds of Redis's clock as a text, because Redis truncates numbers in replies.
const LUA_NOW = lua`
local function now()
  local time = redis.call('TIME')
  return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end`;

const LUA_MARK = lua`
local function markOf(entry) return string.sub(entry[2][2], 1, ${MARK_BYTES}) end`;

// Subscribers receive the id and the mark of the previous entry, each after its length, and then the data.
const LUA_PUBLISH = lua`
local function publish(command, key, id, previous, data)
  redis.call(command, key, string.char(#id) .. id .. string.char(#previous) .. previous .. data)
end`;

/**
 * Adds an entry and publishes it in one step, so that stream and subscribers have the same order.
 *
 * KEYS: the stream. The channel has the same name, so that a cluster keeps both on one node.
 * ARGV: maximum entries, maximum bytes, milliseconds to live, data, PUBLISH or SPUBLISH, and 'time' to store the time.
 *
 * The field t of an entry holds two sums over its era, and perhaps the time: the bytes of all entries up to this one, and the
 * bytes of entries that are known to be deleted. Their difference is at least the bytes in the stream. MAXLEN may have deleted more entries. So
 * when the difference is too large, the script reads the exact sum from the first entry. Then it deletes the first entries
 * until the new one fits. The new entry always stays.
 *
 * A stream without entries can have a last id that is later than the new id, for instance when Redis's clock was set back. Only
 * then the script deletes it. Redis does not check `maxmemory` after the first write of a script, so a new stream begins with `XADD`.
 */
const ADD = lua`${LUA_NOW}${LUA_MARK}${LUA_PUBLISH}
local key, most, data, previous = KEYS[1], tonumber(ARGV[2]), ARGV[4], ''
local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
local era, index, total, gone
if last then
  era, index = string.match(last[1], '(%d+)-(%d+)')
  total, gone = string.match(last[2][4] or '', '(%d+) (%d+)')
  previous = markOf(last)
else
  era, index = now(), 0
end
total, gone = (total or 0) + #data + ${ENTRY_BYTES}, tonumber(gone or 0)
local count = 1
while total - gone > most do
  local old = {}
  for _, entry in ipairs(redis.call('XRANGE', key, '-', '+', 'COUNT', count)) do
    local sum = tonumber(string.match(entry[2][4] or '', '%d+') or 0)
    if #old == 0 then gone = sum - #entry[2][2] - ${ENTRY_BYTES} end
    if total - gone <= most then break end
    old[#old + 1] = entry[1]
    gone = sum
  end
  if #old == 0 then break end
  redis.call('XDEL', key, unpack(old))
  count = math.min(count * 2, 64)
end
local id = era .. '-' .. string.format('%.0f', index + 1)
local time = ARGV[6] and ' ' .. now() or ''
local sums = string.format('%.0f %.0f', total, math.max(gone, 0)) .. time
local function add() return redis.pcall('XADD', key, 'MAXLEN', '~', ARGV[1], id, 'd', data, 't', sums) end
local added = add()
if added.err and not last and string.find(added.err, 'smaller') then
  redis.call('DEL', key)
  added = add()
end
if added.err then return added end
redis.call('PEXPIRE', key, ARGV[3])
publish(ARGV[5], key, id .. time, previous, data)
return id`;

export interface AddOptions {
  readonly maxLength: number;
  readonly maxBytes: number;
  readonly maxAge: number;
  readonly isCluster: boolean;
  /** Whether entries have a time. */
  readonly isTimed: boolean;
}

/** Returns a function that creates the command to add an entry. It prepares the constant arguments once. */
export function makeAddCommand(options: AddOptions): (key: string, data: Buffer) => (string | Buffer)[] {
  const maxLength = String(options.maxLength);
  const maxBytes = String(options.maxBytes);
  const maxAge = String(options.maxAge);
  const publish = options.isCluster ? 'SPUBLISH' : 'PUBLISH';
  if (!options.isTimed)
    return (key, data) => ['EVAL', ADD, '1', key, maxLength, maxBytes, maxAge, data, publish];
  return (key, data) => ['EVAL', ADD, '1', key, maxLength, maxBytes, maxAge, data, publish, 'time'];
}

/**
 * Reads the entries after a known one. If that one is missing, reads from the first entry, and also returns the last one.
 *
 * ARGV: the first id to read (or '' for none), the id of the known entry (or ''), and its mark.
 */
const READ = lua`${LUA_NOW}${LUA_MARK}
local key, from, known, mark = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local reply = {'end', '', ''}
if known ~= '' then
  local at = redis.call('XRANGE', key, known, known)[1]
  if not at or markOf(at) ~= mark then
    local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
    if not last then return {'none', now()} end
    reply = {'end', last[1], markOf(last)}
    if from == '' then return reply end
    from = '-'
  end
end
local bytes, count, page = 0, 1
repeat
  page = redis.call('XRANGE', key, from, '+', 'COUNT', count)
  for _, entry in ipairs(page) do
    if bytes >= ${PAGE_BYTES} then break end
    reply[#reply + 1] = entry[1]
    reply[#reply + 1] = entry[2][2]
    reply[#reply + 1] = string.match(entry[2][4] or '', '%d+ %d+ (%d+)') or ''
    bytes = bytes + #entry[2][2] + ${ENTRY_BYTES}
    local era, index = string.match(entry[1], '(%d+)-(%d+)')
    from = era .. '-' .. string.format('%.0f', index + 1)
  end
  count = #page < count and 0 or math.min(count * 2, 64)
until count == 0 or bytes >= ${PAGE_BYTES}
if bytes >= ${PAGE_BYTES} then reply[1] = 'more' end
return reply`;

/** Identifies an entry by its id and its mark. */
export interface Position {
  readonly id: StreamId;
  readonly mark: string;
}

/**
 * Begins a new era with a note and publishes the note, unless a later era has begun already.
 *
 * KEYS: the stream. ARGV: the era in which entries were lost, PUBLISH or SPUBLISH, and the milliseconds to live of a new stream;
 * without them, a stream that does not exist gets no note.
 */
const NOTE = lua`${LUA_NOW}${LUA_MARK}${LUA_PUBLISH}
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if last and tonumber(string.match(last[1], '%d+')) > tonumber(ARGV[1]) then return end
if not last and not ARGV[3] then return end
local id = string.format('%.0f-0', math.max(now(), ARGV[1] + 1))
redis.call('XADD', KEYS[1], id, 'd', '', 't', last and last[2][4] or '0 0')
if not last then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
publish(ARGV[2], KEYS[1], id, last and markOf(last) or '', '')`;

/** @param maxAge The time to live of a new stream; `undefined` if groups have no history. */
export function noteCommand(
  key: string,
  era: string,
  isCluster: boolean,
  maxAge: number | undefined,
): (string | Buffer)[] {
  const command = ['EVAL', NOTE, '1', key, era, isCluster ? 'SPUBLISH' : 'PUBLISH'];
  return maxAge === undefined ? command : [...command, String(maxAge)];
}

/**
 * Finds the streams that do not end with the expected entry. An empty id expects no stream.
 *
 * ARGV: all marks in one argument, padded with zeros; then the ids. Clients write each binary argument separately, so one
 * argument is faster.
 */
const COMPARE = lua`
local changed = {}
for number, key in ipairs(KEYS) do
  local id, mark = ARGV[number + 1], string.sub(ARGV[1], ${MARK_BYTES} * (number - 1) + 1, ${MARK_BYTES} * number)
  local reply = redis.pcall('XREVRANGE', key, '+', '-', 'COUNT', 1)
  local last = reply[1]
  local isSame = not reply.err and not last and id == ''
  if last then
    local start = string.sub(last[2][2], 1, ${MARK_BYTES})
    isSame = last[1] == id and start .. string.rep('\0', ${MARK_BYTES} - #start) == mark
  end
  if not isSame then changed[#changed + 1] = number end
end
return changed`;

/** Holds entries of a stream in order. */
export interface StreamPage {
  readonly kind: 'entries';
  readonly entries: StreamEntry[];
  readonly isMore: boolean;
  /** The last entry of the stream, if the known entry is missing. Then the page begins with the first entry. */
  readonly last: Position | undefined;
}

/** Says that no stream exists at this time of Redis's clock. */
export interface NoStream {
  readonly kind: 'none';
  readonly now: string;
}

/** Reads the entries after a known one; if that one is missing, all entries. */
export function readAfter(key: string, { id, mark }: Position): (string | Buffer)[] {
  const next = textOf({ era: id.era, index: id.index + 1 });
  return ['EVAL', READ, '1', key, next, textOf(id), Buffer.from(mark, 'latin1')];
}

/** Reads all entries from an id, or from the first entry. */
export function readFrom(key: string, id?: StreamId): (string | Buffer)[] {
  return ['EVAL', READ, '1', key, id === undefined ? '-' : textOf(id), '', ''];
}

/** Asks for the last entry, and reads no entries. */
export function readNothing(key: string): (string | Buffer)[] {
  return ['EVAL', READ, '1', key, '', NOWHERE, ''];
}

/** Asks for the numbers of the streams that do not end with the given entries. The first stream has number 1. */
export function compareEnds(
  ends: readonly (readonly [key: string, end: Position | undefined])[],
): (string | Buffer)[] {
  const marks = Buffer.alloc(ends.length * MARK_BYTES);
  const keys: string[] = [];
  const ids: string[] = [];
  for (const [index, [key, end]] of ends.entries()) {
    keys.push(key);
    ids.push(end === undefined ? '' : textOf(end.id));
    if (end !== undefined) marks.write(end.mark, index * MARK_BYTES, 'latin1');
  }
  return ['EVAL', COMPARE, String(keys.length), ...keys, marks, ...ids];
}

export function parseReply(reply: unknown): StreamPage | NoStream {
  const [kind, ...rest] = reply as Buffer[];
  if (String(kind) === 'none') return { kind: 'none', now: String(rest[0]) };
  const [id, mark] = rest;
  const last =
    id?.length === 0 ? undefined : { id: parseForeignId(id), mark: (mark as Buffer).toString('latin1') };
  const entries: StreamEntry[] = [];
  for (let index = 2; index + 2 < rest.length; index += 3) entries.push(parseEntry(rest, index));
  return { kind: 'entries', entries, isMore: String(kind) === 'more', last };
}

/** Parses an entry of which a script has returned id, data and time. */
export function parseEntry(reply: readonly Buffer[], index: number): StreamEntry {
  const time = reply[index + 2];
  return {
    id: parseForeignId(reply[index]),
    data: reply[index + 1] as Buffer,
    time: time === undefined || time.length === 0 ? undefined : Number(time),
  };
}

/** Parses an entry that the script has published. Returns `undefined` for a message of another program. */
export function parsePublished(message: Buffer): PublishedEntry | undefined {
  const idEnd = 1 + (message[0] ?? 0);
  const match = PUBLISHED_ID.exec(message.toString('latin1', 1, idEnd));
  if (match === null) return undefined;
  const [, era, index, time] = match;
  const start = idEnd + 1 + (message[idEnd] ?? 0);
  return {
    id: { era: era as string, index: Number(index) },
    time: time === undefined ? undefined : Number(time),
    previous: message.toString('latin1', idEnd + 1, start),
    data: message.subarray(start),
  };
}

/** The id of an entry, and perhaps its time. */
const PUBLISHED_ID = /^(\d{1,20})-(\d{1,16})(?: (\d{1,16}))?$/;

export function markOf(data: Buffer): string {
  return data.toString('latin1', 0, MARK_BYTES);
}

function parseId(text: string): StreamId | undefined {
  const match = /^(\d{1,20})-(\d{1,16})$/.exec(text);
  return match === null ? undefined : { era: match[1] as string, index: Number(match[2]) };
}

/** Parses an id of a stream. Another program may have added an entry with an id of another form. */
function parseForeignId(text: Buffer | undefined): StreamId {
  return parseId(String(text)) ?? { era: String(text), index: 0 };
}

function textOf({ era, index }: StreamId): string {
  return `${era}-${String(index)}`;
}
