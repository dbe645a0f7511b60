/** At most this many pongs may be pending. Each takes about 300 bytes. */
const MAX_PENDING = 1_000;

/** Sends pongs. */
export interface PongTarget {
  readonly readyState: number;
  readonly OPEN: number;
  pong(data: Buffer, mask: undefined, written: () => void): void;
}

/**
 * Answers the pings of one peer (RFC 6455, 5.5.3). It replaces the answers of `ws`, which ends a peer that sends 60 pings
 * in one packet. While too many pongs are pending, because the peer does not read, it answers only the latest ping.
 */
export class Pongs {
  readonly #connection: PongTarget;
  #pending = 0;
  #postponedPing: Buffer | undefined;

  constructor(connection: PongTarget) {
    this.#connection = connection;
  }

  answer(ping: Buffer): void {
    if (this.#pending === MAX_PENDING) {
      // A copy, because the ping is a view that would retain the whole chunk of the socket.
      this.#postponedPing = Buffer.from(ping);
      return;
    }
    this.#pending++;
    this.#connection.pong(ping, undefined, () => {
      this.#pending--;
      const latest = this.#postponedPing;
      this.#postponedPing = undefined;
      if (latest !== undefined && this.#connection.readyState === this.#connection.OPEN) this.answer(latest);
    });
  }
}
