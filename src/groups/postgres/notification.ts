import { createHash, randomBytes } from 'node:crypto';

/**
 * Defines the payloads of our notifications. NOTIFY takes text of less than 8,000 bytes:
 *
 * ```
 * key (22 characters)  sender (8)  number in base 36  '='  message in base64
 * key (22 characters)  sender (8)  number in base 36  '#'  bytes of the message, which is in the table
 * ```
 *
 * The key says for which group it is. Sender and number make each payload unique, because PostgreSQL drops equal payloads of
 * one transaction. Together they are the id of a message in the table.
 */
const KEY_CHARACTERS = 22;
const SENDER_CHARACTERS = 8;
const ID_AT = KEY_CHARACTERS;
const PAYLOAD = /^[\w-]{30}[0-9a-z]+([=#])/;

/** Bytes of the largest message that fits into a payload: 7,999 minus the fields, in base64. */
export const MAX_INLINE = 5_900;

/**
 * Channels that groups share. A listening connection of PostgreSQL compares each notification with all its channels, one by
 * one. So a channel for each group would cost the square of their number.
 */
export const CHANNELS = 256;

export interface Notification {
  readonly key: string;
  readonly sender: string;
  readonly id: string;
  /** The message, or its length in bytes if it is in the table. */
  readonly content: Buffer | number;
}

/** Returns the key of a group in payloads. */
export function keyOf(group: string): string {
  return createHash('sha256').update(group).digest('base64url').slice(0, KEY_CHARACTERS);
}

/** Returns the channel for a key. */
export function channelOf(prefix: string, key: string): string {
  const number = Buffer.from(key.slice(0, 4), 'base64url')[0] as number;
  return `${prefix}:${number % CHANNELS}`;
}

/** Writes the payloads of one process. */
export class NotificationWriter {
  readonly sender = randomBytes(6).toString('base64url');
  #number = 0;

  /** Returns an id that no other message has. */
  nextId(): string {
    return this.sender + (this.#number++).toString(36);
  }

  write(key: string, id: string, data: Buffer): string {
    if (data.length > MAX_INLINE) return `${key}${id}#${data.length}`;
    return `${key}${id}=${data.toString('base64')}`;
  }
}

/** Parses a payload. Returns `undefined` if another program sent it. */
export function readNotification(payload: string): Notification | undefined {
  const kind = PAYLOAD.exec(payload)?.[1];
  if (kind === undefined) return undefined;
  const end = payload.indexOf(kind, ID_AT + SENDER_CHARACTERS);
  const rest = payload.slice(end + 1);
  const length = Number(rest);
  if (kind === '#' && !(Number.isSafeInteger(length) && length > 0)) return undefined;
  return {
    key: payload.slice(0, KEY_CHARACTERS),
    sender: payload.slice(ID_AT, ID_AT + SENDER_CHARACTERS),
    id: payload.slice(ID_AT, end),
    content: kind === '#' ? length : Buffer.from(rest, 'base64'),
  };
}
