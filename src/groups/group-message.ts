import { debug } from '../shared/notices.js';
import { asBytes, encodeFrame, type Data } from '../websocket/frame.js';
import { sendFrame } from '../websocket/operations.js';
import { Websocket } from '../websocket/websocket.js';
import type { Member } from './member.js';

/**
 * Holds a message to a group. It encodes each form of the message once for all members, and only if needed.
 */
export class GroupMessage {
  readonly data: Data;
  readonly binary: boolean;
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

/** Sends a message to a member. Returns `false` if the member is closed or throws. Never waits, never throws. */
export function deliver(member: Member, groupMessage: GroupMessage): boolean {
  try {
    if (member instanceof Websocket) {
      if (member.isClosed()) return false;
      // Not awaited: each member has its own limit `maxBuffered`.
      void sendFrame(member as Websocket, groupMessage.frame, groupMessage.data, groupMessage.binary);
      return true;
    }
    if (member.isClosed?.() === true) return false;
    settleQuietly(member.send(groupMessage.value));
    return true;
  } catch (error) {
    debug('a member of a group failed to send: %o', error);
    return false;
  }
}

// A user's member may return a promise that rejects. An unhandled rejection would end the process.
function settleQuietly(result: unknown): void {
  if (result instanceof Promise) {
    result.catch((error: unknown) => debug('a member of a group failed to send: %o', error));
  }
}
