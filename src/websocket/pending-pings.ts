import { argumentError } from '../shared/errors.js';
import { rejectLater } from '../shared/later.js';
import { now } from '../shared/real-timers.js';

interface PendingPing {
  readonly start: number;
  readonly resolve: (roundTrip: number) => void;
  readonly reject: (error: Error) => void;
}

/** At most this many pings of one websocket wait for an answer at a time. */
const MOST = 1_000;

/** The pings of one websocket that wait for their pong, told apart by their payload (RFC 6455, 5.5.3). */
export class PendingPings {
  readonly #pings = new Map<string, PendingPing>();
  #count = 0;

  send(connection: { ping(data: string): void }): Promise<number> {
    if (this.#pings.size >= MOST) {
      const error = argumentError(
        RangeError,
        `${String(MOST)} pings wait for an answer; await ping() before the next`,
      );
      return quiet(rejectLater(error));
    }
    const payload = `dws-${String(++this.#count)}`;
    const roundTrip = new Promise<number>((resolve, reject) => {
      this.#pings.set(payload, { start: now(), resolve, reject });
    });
    connection.ping(payload);
    return quiet(roundTrip);
  }

  /** A pong answers all pings up to its own: a peer may answer only the latest. Others' pongs are passed over. */
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

  end(error: Error): void {
    for (const { reject } of this.#pings.values()) reject(error);
    this.#pings.clear();
  }
}

/** A peer must not end the process of a handler that does not look at the answer. */
function quiet(roundTrip: Promise<number>): Promise<number> {
  roundTrip.catch(() => undefined);
  return roundTrip;
}
