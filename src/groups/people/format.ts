import { canonicalJson, MAX_IDENTITY_BYTES } from './identity.js';

/**
 * Defines the messages about people. Each is `dwp1` and a JSON array: the kind, the sender, and the fields of the kind.
 *
 * A process numbers its changes, over all groups. The version of a group in a process is the number of its last change there.
 * - `update`, on the channel of a group: how many websockets of the sender each person has. It turns version `base` into
 *   `version`. With base 0 it holds everything that the sender has in the group. A long update has several parts.
 * - `ask`, on the channel of a group: `to` (or everybody) sends all that it has in the group.
 * - `beat`, on the channel of all processes: the sender is alive. It lists the versions of groups that have changed since the
 *   last beat or, with `parts` > 0, of all groups where the sender had people at its change `at`.
 * - `hello`: `to` (or everybody) sends a beat, with the versions of all groups if `wantsAll`.
 * - `bye`: the sender has no people any more.
 */
export type PeopleMessage = Update | Ask | Beat | Hello | Bye;

export interface Update {
  readonly kind: 'update';
  readonly from: string;
  readonly base: number;
  readonly version: number;
  readonly part: number;
  readonly isLast: boolean;
  readonly counts: readonly Count[];
}
export interface Ask {
  readonly kind: 'ask';
  readonly from: string;
  readonly to: string;
}
export interface Beat {
  readonly kind: 'beat';
  readonly from: string;
  readonly number: number;
  readonly at: number;
  readonly part: number;
  readonly parts: number;
  readonly versions: readonly GroupVersion[];
}
export interface Hello {
  readonly kind: 'hello';
  readonly from: string;
  readonly to: string;
  readonly wantsAll: boolean;
}
export interface Bye {
  readonly kind: 'bye';
  readonly from: string;
}

/** The key of a person, and the number of websockets in one process. */
export type Count = readonly [key: string, websockets: number];
/** The hash of a group's name, and the version of the group in one process. */
export type GroupVersion = readonly [hash: string, version: number];

/** Addresses a message to all processes. */
export const ALL = '';

const HEAD = 'dwp1';

/** Limits the bytes of a message, unless one identity is larger. The NOTIFY of PostgreSQL takes less than 8,000. */
const MESSAGE_BYTES = 5_000;
/** Leaves room for the head and the fields before the list. */
const LIST_BYTES = MESSAGE_BYTES - 150;

export function writeAsk(from: string, to: string): Buffer {
  return write(['ask', from, to]);
}

export function writeHello(from: string, to: string, wantsAll: boolean): Buffer {
  return write(['hello', from, to, wantsAll]);
}

export function writeBye(from: string): Buffer {
  return write(['bye', from]);
}

/** Writes an update, in as many parts as it needs. */
export function writeUpdate(from: string, base: number, version: number, counts: readonly Count[]): Buffer[] {
  // A key already is JSON.
  const lists = split(counts.map(([key, websockets]) => `[${key},${String(websockets)}]`));
  return lists.map((list, part) => {
    const isLast = part === lists.length - 1;
    return write(['update', from, base, version, part, isLast], list);
  });
}

/** Writes beats with these versions. The first has the number `number`, and each other one the next. */
export function writeBeats(
  from: string,
  number: number,
  at: number,
  versions: readonly GroupVersion[],
  hasAll: boolean,
): Buffer[] {
  const lists = split(versions.map((each) => JSON.stringify(each)));
  return lists.map((list, index) =>
    write(
      hasAll
        ? ['beat', from, number + index, at, index + 1, lists.length]
        : ['beat', from, number + index, at, 0, 0],
      list,
    ),
  );
}

function write(fields: readonly unknown[], list?: string): Buffer {
  const text = JSON.stringify(fields);
  return Buffer.from(HEAD + (list === undefined ? text : `${text.slice(0, -1)},[${list}]]`));
}

/** Joins items to lists of at most `LIST_BYTES`. Returns at least one list. */
function split(items: readonly string[]): string[] {
  const lists: string[] = [];
  let list: string[] = [];
  let size = 0;
  for (const item of items) {
    const bytes = Buffer.byteLength(item) + 1;
    if (size + bytes > LIST_BYTES && list.length > 0) {
      lists.push(list.join(','));
      list = [];
      size = 0;
    }
    list.push(item);
    size += bytes;
  }
  lists.push(list.join(','));
  return lists;
}

/** Parses a message, or returns why the bytes are not a valid one. */
export function readPeopleMessage(data: Buffer): PeopleMessage | string {
  if (data.toString('latin1', 0, HEAD.length) !== HEAD) return 'dwebsocket did not send it';
  try {
    return read(JSON.parse(data.toString('utf8', HEAD.length))) ?? 'its content is invalid';
  } catch {
    // No JSON, or too deeply nested for a recursive function.
    return 'its content is invalid';
  }
}

function read(fields: unknown): PeopleMessage | undefined {
  if (!Array.isArray(fields)) return undefined;
  const [kind, from, ...rest] = fields as unknown[];
  if (!isId(from)) return undefined;
  switch (kind) {
    case 'update':
      return readUpdate(from, rest);
    case 'ask': {
      const [to] = rest;
      return isId(to) || to === ALL ? { kind, from, to } : undefined;
    }
    case 'beat':
      return readBeat(from, rest);
    case 'hello': {
      const [to, wantsAll] = rest;
      return (isId(to) || to === ALL) && typeof wantsAll === 'boolean'
        ? { kind, from, to, wantsAll }
        : undefined;
    }
    case 'bye':
      return { kind, from };
    default:
      return undefined;
  }
}

function readUpdate(from: string, fields: readonly unknown[]): Update | undefined {
  const [base, version, part, isLast, list] = fields;
  if (!isNumber(base) || !isNumber(version) || !isNumber(part) || typeof isLast !== 'boolean')
    return undefined;
  if (version <= base || !Array.isArray(list)) return undefined;
  const counts: Count[] = [];
  for (const item of list as unknown[]) {
    if (!Array.isArray(item)) return undefined;
    const [as, websockets] = item as unknown[];
    if (as === undefined || !isNumber(websockets)) return undefined;
    const key = canonicalJson(as);
    if (Buffer.byteLength(key) > MAX_IDENTITY_BYTES) return undefined;
    counts.push([key, websockets]);
  }
  return { kind: 'update', from, base, version, part, isLast, counts };
}

function readBeat(from: string, fields: readonly unknown[]): Beat | undefined {
  const [number, at, part, parts, list] = fields;
  if (!isNumber(number) || !isNumber(at) || !isNumber(part) || !isNumber(parts)) return undefined;
  if (part > parts || !Array.isArray(list)) return undefined;
  const versions: GroupVersion[] = [];
  for (const item of list as unknown[]) {
    if (!Array.isArray(item)) return undefined;
    const [hash, version] = item as unknown[];
    if (typeof hash !== 'string' || !isNumber(version)) return undefined;
    versions.push([hash, version]);
  }
  return { kind: 'beat', from, number, at, part, parts, versions };
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && value.length === 16;
}

function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
