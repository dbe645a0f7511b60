import { debug } from '../shared/notices.js';
import { asBytes, encodeFrame, type Data } from '../websocket/frame.js';
import { sendFrame } from '../websocket/operations.js';
import { Websocket } from '../websocket/websocket.js';
import type { Member } from './member.js';

/**
 * A message on its way to many: each form that somebody needs is made once, for all members.
 */
export class Parcel {
  readonly data: Data;
  readonly binary: boolean;
  #frame: Buffer | undefined;
  #message: string | Buffer | undefined;

  /** @throws {TypeError} `data` is no message. */
  constructor(data: Data, binary?: boolean) {
    if (typeof data !== 'string') asBytes(data);
    this.data = data;
    this.binary = binary ?? typeof data !== 'string';
  }

  /** The payload as bytes; a view. Text is encoded in the frame and nowhere else. */
  get bytes(): Uint8Array {
    return typeof this.data === 'string' ? payloadOf(this.frame) : asBytes(this.data);
  }

  /** The frame for all members that are websockets. */
  get frame(): Buffer {
    return (this.#frame ??= encodeFrame(this.data, this.binary));
  }

  /** As a receiver would see it; a copy of bytes, which members may keep. */
  get message(): string | Buffer {
    if (this.#message === undefined) {
      const copy = typeof this.data === 'string' ? this.data : Buffer.from(asBytes(this.data));
      this.#message = this.binary === (typeof copy === 'string') ? convert(copy) : copy;
    }
    return this.#message;
  }
}

// The length of a frame tells the length of its header, for a server's frame has no mask (RFC 6455, 5.2).
function payloadOf(frame: Buffer): Buffer {
  return frame.subarray(frame.length < 128 ? 2 : frame.length < 65_540 ? 4 : 10);
}

function convert(message: string | Buffer): string | Buffer {
  return typeof message === 'string' ? Buffer.from(message) : message.toString();
}

/** Hands a message to a member; `false` when the member is closed or failed. Never waits, never throws. */
export function deliver(member: Member, parcel: Parcel): boolean {
  try {
    if (member instanceof Websocket) {
      if (member.isClosed()) return false;
      // Not awaited: each member falls under its own `maxBuffered`.
      void sendFrame(member as Websocket, parcel.frame, parcel.data, parcel.binary);
      return true;
    }
    if (member.isClosed?.() === true) return false;
    settleQuietly(member.send(parcel.message));
    return true;
  } catch (error) {
    debug('a member of a group failed to send: %o', error);
    return false;
  }
}

// A member of another make may give a promise that rejects; one broken member must not end the process.
function settleQuietly(result: unknown): void {
  if (result instanceof Promise) {
    result.catch((error: unknown) => debug('a member of a group failed to send: %o', error));
  }
}
