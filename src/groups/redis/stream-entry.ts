/**
 * Where an entry is in its stream: `<era>-<index>`.
 *
 * Our ids are not times: within an era the index rises by one, so a hole shows what is missing. An era begins when a
 * stream is made: for a new group, after it has expired, or after Redis has lost it.
 */
export interface StreamId {
  readonly era: string;
  readonly index: number;
}

export interface StreamEntry {
  readonly id: StreamId;
  readonly data: Buffer;
}

/**
 * Adds an entry and tells the subscribers, in one step, so that both have the same order.
 *
 * KEYS: the stream, whose name is the channel's, too (on a cluster they are then on one node).
 * ARGV: era if a new one begins, length, milliseconds to live, data, PUBLISH or SPUBLISH.
 */
const ADD = `
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local id = ARGV[1] .. '-1'
if last then
  local era, index = string.match(last[1], '(%d+)-(%d+)')
  id = era .. '-' .. string.format('%.0f', index + 1)
end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], id, 'd', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call(ARGV[5], KEYS[1], string.char(#id) .. id .. ARGV[4])
return id`;

export function addCommand(
  key: string,
  data: Buffer,
  { maxLength, maxAge, isCluster }: { maxLength: number; maxAge: number; isCluster: boolean },
): (string | Buffer)[] {
  const publish = isCluster ? 'SPUBLISH' : 'PUBLISH';
  return ['EVAL', ADD, '1', key, String(Date.now()), String(maxLength), String(maxAge), data, publish];
}

/** The entry in what the script publishes; `undefined` for what a stranger does. */
export function parsePublished(message: Buffer): StreamEntry | undefined {
  const start = 1 + (message[0] ?? 0);
  const id = parseId(message.toString('latin1', 1, start));
  return id === undefined ? undefined : { id, data: message.subarray(start) };
}

/** The entries in a reply of XRANGE and XREVRANGE; what is not ours among them is passed over. */
export function parseEntries(reply: unknown): StreamEntry[] {
  const entries: StreamEntry[] = [];
  for (const [id, fields] of reply as [Buffer, Buffer[]][]) {
    const parsed = parseId(id.toString());
    const [, data] = fields;
    if (parsed !== undefined && data !== undefined) entries.push({ id: parsed, data });
  }
  return entries;
}

function parseId(text: string): StreamId | undefined {
  const match = /^(\d{1,20})-(\d{1,16})$/.exec(text);
  return match === null ? undefined : { era: match[1] as string, index: Number(match[2]) };
}
