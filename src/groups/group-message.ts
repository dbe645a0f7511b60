import { debug } from '../shared/notices.js';
import { asBytes, encodeFrame, type Data } from '../websocket/frame.js';
import { sendFrame, sendHeld } from '../websocket/operations.js';
import { Websocket } from '../websocket/websocket.js';
import { formatPosition, type Position } from './history/position.js';
import type { Member } from './member.js';

/**
 * Holds a message to a group. It encodes each form of the message once for all members, and only if needed.
 */
export class GroupMessage {
  readonly data: Data;
  readonly binary: boolean;
  /** What the message is about, if only the newest one matters. */
  latest: string | undefined;
  #frame: Buffer | undefined;
  #value: string | Buffer | undefined;

  /** @throws {TypeError} `data` is not a message. */
  constructor(data: Data, binary?: boolean) {
    if (typeof data !== 'string') asBytes(data);
    this.data = data;
    this.binary = binary ?? typeof data !== 'string';
  }

  /** Returns a view of the payload. A text is encoded only once, in the frame. */
  get bytes(): Uint8Array {
    return typeof this.data === 'string' ? payloadOf(this.frame) : asBytes(this.data);
  }

  /** Returns the frame for all members that are websockets. */
  get frame(): Buffer {
    return (this.#frame ??= encodeFrame(this.data, this.binary));
  }

  /** Returns the message as a receiver gets it. Bytes are a copy, which members may keep. */
  get value(): string | Buffer {
    if (this.#value === undefined) {
      const copy = typeof this.data === 'string' ? this.data : Buffer.from(asBytes(this.data));
      this.#value = this.binary === (typeof copy === 'string') ? convert(copy) : copy;
    }
    return this.#value;
  }
}

// A server's frame has no mask, so its length determines the length of its header (RFC 6455, 5.2).
function payloadOf(frame: Buffer): Buffer {
  return frame.subarray(frame.length < 128 ? 2 : frame.length < 65_540 ? 4 : 10);
}

function convert(message: string | Buffer): string | Buffer {
  return typeof message === 'string' ? Buffer.from(message) : message.toString();
}

/**
 * Sends a message to a member. Returns `false` if the member is closed or throws. Never waits, never throws.
 *
 * @param position The place of the message in the history of the group, if any.
 */
export function deliver(member: Member, groupMessage: GroupMessage, position?: Position): boolean {
  try {
    if (member instanceof Websocket) {
      if (member.isClosed()) return false;
      // Not awaited: each member has its own limit `maxBuffered`.
      void sendToWebsocket(member as Websocket, groupMessage, position);
      return true;
    }
    if (member.isClosed?.() === true) return false;
    settleQuietly(sendToMember(member, groupMessage, position));
    return true;
  } catch (error) {
    reportFailure(error);
    return false;
  }
}

/** Sends a message like `deliver`, and resolves when the member takes the next one. Never rejects. */
export async function deliverAndWait(
  member: Member,
  groupMessage: GroupMessage,
  position?: Position,
): Promise<void> {
  try {
    if (member.isClosed?.() === true) return;
    if (member instanceof Websocket) await sendToWebsocket(member as Websocket, groupMessage, position);
    else await sendToMember(member, groupMessage, position);
  } catch (error) {
    reportFailure(error);
  }
}

function sendToWebsocket(
  member: Websocket,
  { frame, data, binary, latest }: GroupMessage,
  position: Position | undefined,
): PromiseLike<boolean> {
  if (latest !== undefined) return sendFrame(member, frame, data, binary, latest);
  // In a group with a history, ids only grow: the id of the last message says what a client has had.
  if (position !== undefined) sendHeld(member);
  return sendFrame(member, frame, data, binary);
}

function sendToMember(
  member: Member,
  { value, latest }: GroupMessage,
  position: Position | undefined,
): unknown {
  if (position === undefined && latest === undefined) return member.send(value);
  const options: { id?: string; latest?: string } = {};
  if (position !== undefined) options.id = formatPosition(position);
  if (latest !== undefined) options.latest = latest;
  return member.send(value, options);
}

// A user's member may return a promise that rejects. An unhandled rejection would end the process.
function settleQuietly(result: unknown): void {
  if (result instanceof Promise) result.catch(reportFailure);
}

function reportFailure(error: unknown): void {
  debug('a member of a group failed to send: %o', error);
}
