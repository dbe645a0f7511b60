import { argumentError } from '../shared/errors.js';
import { rejectLater } from '../shared/later.js';
import { now } from '../shared/real-timers.js';

interface PendingPing {
  readonly start: number;
  readonly resolve: (roundTrip: number) => void;
  readonly reject: (error: Error) => void;
}

/** At most this many pings of one websocket may be pending. */
const MAX_PENDING = 1_000;

/** Holds the pending pings of one websocket. Payloads match pongs to pings (RFC 6455, 5.5.3). */
export class PendingPings {
  readonly #pings = new Map<string, PendingPing>();
  #count = 0;

  send(connection: { ping(data: string): void }): Promise<number> {
    if (this.#pings.size >= MAX_PENDING) {
      const error = argumentError(
        RangeError,
        `${String(MAX_PENDING)} pings are pending; await ping() before you call it again`,
      );
      return withoutUnhandledRejection(rejectLater(error));
    }
    const payload = `dws-${String(++this.#count)}`;
    const roundTrip = new Promise<number>((resolve, reject) => {
      this.#pings.set(payload, { start: now(), resolve, reject });
    });
    connection.ping(payload);
    return withoutUnhandledRejection(roundTrip);
  }

  /**
   * Resolves the ping that a pong answers, and all earlier pings: a peer may answer only the latest one. Ignores a pong
   * that answers no ping.
   */
  answer(pong: Buffer): void {
    const payload = pong.toString('latin1');
    if (!this.#pings.has(payload)) return;
    const time = now();
    for (const [sent, { start, resolve }] of this.#pings) {
      this.#pings.delete(sent);
      resolve(time - start);
      if (sent === payload) return;
    }
  }

  /** Rejects all pending pings. */
  end(error: Error): void {
    for (const { reject } of this.#pings.values()) reject(error);
    this.#pings.clear();
  }
}

/** Prevents an unhandled rejection. A peer must not end the process of a handler that ignores the round trip. */
function withoutUnhandledRejection(roundTrip: Promise<number>): Promise<number> {
  roundTrip.catch(() => undefined);
  return roundTrip;
}
