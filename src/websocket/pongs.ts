/** At most this many pongs wait for the peer to read; each takes some 300 bytes. */
const MOST = 1_000;

/** A connection whose pings we answer. */
export interface PongTarget {
  readonly readyState: number;
  readonly OPEN: number;
  pong(data: Buffer, mask: undefined, written: () => void): void;
}

/**
 * Answers the pings of one peer (RFC 6455, 5.5.3), in the place of `ws`, which ends a peer that sends 60 of them in one
 * packet. While the peer does not read, and many pongs wait, only its latest ping is answered.
 */
export class Pongs {
  readonly #connection: PongTarget;
  #waiting = 0;
  #owed: Buffer | undefined;

  constructor(connection: PongTarget) {
    this.#connection = connection;
  }

  answer(ping: Buffer): void {
    if (this.#waiting === MOST) {
      // A copy: what we get is a view into all that the socket delivered.
      this.#owed = Buffer.from(ping);
      return;
    }
    this.#waiting++;
    this.#connection.pong(ping, undefined, () => {
      this.#waiting--;
      const owed = this.#owed;
      this.#owed = undefined;
      if (owed !== undefined && this.#connection.readyState === this.#connection.OPEN) this.answer(owed);
    });
  }
}
