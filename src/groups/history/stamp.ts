import { argumentError } from '../../shared/errors.js';
import { debug, warnOnce } from '../../shared/notices.js';
import type { Codec } from '../../values/codec.js';
import type { Data } from '../../websocket/frame.js';
import { GroupMessage } from '../group-message.js';
import type { HistorySettings } from './options.js';

/** Puts the id of a message where the client finds it. */
export interface Stamper {
  /** @throws {WebsocketArgumentError} The message cannot take an id. */
  check(groupMessage: GroupMessage): void;
  /** @throws What the app's function throws. */
  stamp(groupMessage: GroupMessage, id: string): GroupMessage;
}

/** @param codec Encodes the values of groups that send values. */
export function createStamper(
  stamp: HistorySettings['stamp'],
  codec: Codec | undefined,
): Stamper | undefined {
  if (stamp === undefined) return undefined;
  return typeof stamp === 'string'
    ? new FieldStamper(stamp, codec !== undefined)
    : new FunctionStamper(stamp, codec);
}

/**
 * Stamps a message of another process. Returns it unchanged if this fails: the network client that delivers it must not see
 * an error.
 */
export function stampReceived(stamper: Stamper, groupMessage: GroupMessage, id: string): GroupMessage {
  try {
    return stamper.stamp(groupMessage, id);
  } catch (error) {
    debug('the option history.stamp failed: %o', error);
    const text = error instanceof Error ? error.message : String(error);
    warnOnce(
      stamper,
      'WEBSOCKET_GROUPS_STAMP',
      `a message is sent without its id, because history.stamp failed: ${text}`,
    );
    return groupMessage;
  }
}

/** Adds the id as the first field of a JSON object. */
class FieldStamper implements Stamper {
  readonly #field: string;
  readonly #encodedField: string;
  readonly #isEncoded: boolean;

  /** @param isEncoded Whether our own codec encodes every text, so that it is valid JSON without needless escapes. */
  constructor(field: string, isEncoded: boolean) {
    this.#field = field;
    this.#encodedField = JSON.stringify(field);
    this.#isEncoded = isEncoded;
  }

  check(groupMessage: GroupMessage): void {
    const text = groupMessage.binary ? '' : textOf(groupMessage);
    const isObject = this.#isEncoded ? text.startsWith('{') : isJsonObject(text);
    if (!isObject)
      throw argumentError(
        TypeError,
        `send() takes a JSON object in this group, because history.stamp adds the field ${this.#encodedField}; ` +
          'for other messages use a function: stamp: (message, id) => message',
      );
    if (this.#isEncoded && !text.includes(this.#encodedField)) return;
    if (!Object.hasOwn(JSON.parse(text) as object, this.#field)) return;
    throw argumentError(
      TypeError,
      `send() was given an object that has the field ${this.#encodedField} already, which history.stamp adds; ` +
        'rename one of them',
    );
  }

  stamp(groupMessage: GroupMessage, id: string): GroupMessage {
    if (groupMessage.binary) return groupMessage;
    const text = textOf(groupMessage).trimStart();
    if (!text.startsWith('{')) return groupMessage;
    const rest = text.slice(1).trimStart();
    const comma = rest.startsWith('}') ? '' : ',';
    return new GroupMessage(`{${this.#encodedField}:${JSON.stringify(id)}${comma}${rest}`, false);
  }
}

class FunctionStamper implements Stamper {
  readonly #stamp: (message: unknown, id: string) => unknown;
  readonly #codec: Codec | undefined;

  constructor(stamp: (message: unknown, id: string) => unknown, codec: Codec | undefined) {
    this.#stamp = stamp;
    this.#codec = codec;
  }

  check(): void {
    // The function decides at each message.
  }

  stamp(groupMessage: GroupMessage, id: string): GroupMessage {
    const { binary, value } = groupMessage;
    const codec = this.#codec;
    if (codec === undefined) {
      const stamped = this.#stamp(value, id) as Data;
      return new GroupMessage(stamped, typeof stamped === 'string' ? false : binary);
    }
    return new GroupMessage(
      codec.encodeUnchecked(this.#stamp(binary ? value : JSON.parse(value as string), id)),
    );
  }
}

function textOf({ data, value }: GroupMessage): string {
  return typeof data === 'string' ? data : (value as string);
}

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
