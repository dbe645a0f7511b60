import { DEFAULT_CLOSE_TIMEOUT } from '../options/policy.js';
import { CloseCode, isSendableCloseCode } from '../shared/close-codes.js';
import { clearTimeout, setTimeout } from '../shared/real-timers.js';
import { cutReason } from './arguments.js';
import type { Claim } from './claim.js';
import { Messages } from './messages.js';
import { claimWebsocket } from './operations.js';
import { openUpstream, type Upstream, type UpstreamEvents, type UpstreamSocket } from './upstream.js';
import type { Websocket } from './websocket.js';

/** Describes how a relay ended. */
export interface RelayEnd {
  /** Which side ended it. */
  readonly endedBy: 'client' | 'upstream';
  /** The close code of that side. 1005: its close frame had no code. 1006: there was no close frame, or no connection. */
  readonly code: number;
  readonly reason: string;
}

/** The client gets this code if the upstream cannot be reached: "bad gateway" (RFC 6455, 7.4.2, and the IANA registry). */
const BAD_GATEWAY = 1014;

const OPEN = 1;
const CLOSED = 3;

/**
 * Joins a websocket to a client socket, until either of them ends.
 *
 * Messages go both ways, in order, as text or bytes. What the client sends before the upstream is open waits. A side that does
 * not read slows down the other one; a `WebSocket` of the platform cannot be slowed down, so `maxBuffered` ends a client that
 * does not read. Close codes are passed on. Those that may not be sent become 1000 (for 1005) or 1011. If the upstream cannot
 * be reached, the client gets 1014. Pings are not passed on.
 *
 * Resolves when the websocket has ended. Never rejects.
 *
 * @param upstream A `WebSocket` of `ws`, or the platform's own.
 * @throws {WebsocketError} The websocket was handed over before, or somebody waits for its messages
 *   (`ERR_WEBSOCKET_READER`).
 * @example
 * app.get('/proxy', requireWebsocket((req) => relay(req.websocket, new WebSocket('ws://10.0.0.7:9222'))));
 */
export function relay(websocket: Websocket<unknown, unknown>, upstream: UpstreamSocket): Promise<RelayEnd> {
  let claim: Claim;
  try {
    claim = claimWebsocket(websocket);
  } catch (error) {
    // Nobody else has the upstream, which the caller has just created.
    openUpstream(upstream, NO_EVENTS).close(CloseCode.internalError, '');
    throw error;
  }
  return new Relay(claim, upstream).end;
}

const NO_EVENTS: UpstreamEvents = { open: noop, message: noop, close: noop };

class Relay {
  readonly end: Promise<RelayEnd>;
  readonly #claim: Claim;
  readonly #upstream: Upstream;
  readonly #opened: Promise<void>;
  #end: RelayEnd | undefined;

  constructor(claim: Claim, socket: UpstreamSocket) {
    this.#claim = claim;
    let open!: () => void;
    this.#opened = new Promise((resolve) => (open = resolve));
    let wasOpen = socket.readyState === OPEN;
    const onClose = (code: number, reason: string): void => {
      this.#end ??= { endedBy: 'upstream', code, reason };
      // Without a check of its UTF-8, the text of a reason may be longer than its bytes.
      if (wasOpen) claim.close(sendable(code), cutReason(reason));
      else claim.close(BAD_GATEWAY, '');
      open();
    };
    this.#upstream = openUpstream(socket, {
      open: () => {
        wasOpen = true;
        open();
      },
      message: (data, binary) => {
        const sent = claim.send(data, binary);
        if (claim.buffered() <= claim.highWaterMark) return;
        this.#upstream.pause();
        void sent.then(() => {
          this.#upstream.resume();
        });
      },
      close: onClose,
    });
    if (wasOpen) open();
    // It has closed before, and has no more events.
    if (socket.readyState === CLOSED) onClose(CloseCode.abnormal, '');
    this.#forward().catch((error: unknown) => {
      claim.fail(error);
    });
    this.end = claim.closed.then(({ code, reason }) => {
      this.#end ??= { endedBy: 'client', code, reason };
      return this.#end;
    });
  }

  /** Sends the client's messages to the upstream, and closes it after the last one. */
  async #forward(): Promise<void> {
    const { messages, closed } = this.#claim;
    await Promise.race([this.#opened, closed]);
    // A client may send and leave before the upstream is open.
    if (messages.length > 0) await within(DEFAULT_CLOSE_TIMEOUT, this.#opened);
    const sent = this.#upstream.isConnecting ? undefined : this.#sendAll();
    const { code, reason } = await closed;
    await this.#finish(sent);
    // If messages are left, the upstream must not take what it got for the whole.
    if (messages.length === 0) this.#upstream.close(sendable(code), reason);
    else this.#upstream.close(CloseCode.internalError, '');
  }

  async #sendAll(): Promise<void> {
    for await (const message of new Messages(this.#claim.messages)) await this.#upstream.send(message);
  }

  /** Waits for the last messages of a client that has left, as long as the upstream takes one now and then. */
  async #finish(sent: Promise<void> | undefined): Promise<void> {
    const { messages } = this.#claim;
    let before: number;
    do {
      before = messages.length;
      if (sent !== undefined) await within(DEFAULT_CLOSE_TIMEOUT, sent);
    } while (messages.length > 0 && messages.length < before);
  }
}

/** Returns a code that may be sent in place of one that was received. */
function sendable(code: number): number {
  if (isSendableCloseCode(code)) return code;
  return code === CloseCode.noStatus ? CloseCode.normal : CloseCode.internalError;
}

/** Waits for a promise, but only for `ms` milliseconds. */
function within(ms: number, promise: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms).unref();
    void promise.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function noop(): void {
  // The relay has not begun.
}
