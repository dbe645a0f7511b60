import { clearTimeout, setTimeout } from '../../real-timers.js';
import { BackplaneError } from '../errors.js';
import { closedError, isPassing, isReply } from './faults.js';

/** So many may be on their way at a time: enough to keep Redis busy, and few enough that an answer comes soon. */
const WINDOW = 500;
const RETRY_DELAY = 250;

export interface OutboxOptions {
  readonly maxBuffered: number;
  /** Whether a command would go out now. */
  readonly isReady: () => boolean;
  /** Adds to the stream; rejects with a `BackplaneError`. */
  readonly add: (group: string, data: Buffer) => Promise<unknown>;
  /** One that was to go out later could not, in the end. */
  readonly dropped: (group: string, error: Error) => void;
}

interface Letter {
  readonly group: string;
  readonly data: Buffer;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** To be sent (again); on its way; or at its end. */
  state: 'waiting' | 'away' | 'done';
  /** Whether the sender has been told that it goes out later. */
  isTold: boolean;
}

/**
 * What is to be added to streams, in order, until Redis has confirmed it.
 *
 * When one fails, nothing more is sent until all that is on its way has come to its end; then what is not confirmed is
 * sent again, from the first on, one alone at first. Some of it may have been taken before the connection broke; then it is
 * in the stream twice, and receivers count it once.
 */
export class StreamOutbox {
  readonly #options: OutboxOptions;
  // The oldest first; those that are done are taken off at the front.
  readonly #letters: Letter[] = [];
  // The first that has not been sent since the last failure.
  #next = 0;
  #away = 0;
  #window = WINDOW;
  #bytes = 0;
  #state: 'flowing' | 'stopping' | 'stopped' = 'flowing';
  #retry: NodeJS.Timeout | undefined;
  #whenEmpty: (() => void) | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Resolves when Redis has it, or with `'later'`. */
  send(group: string, data: Buffer): Promise<unknown> {
    const { maxBuffered } = this.#options;
    if (this.#bytes + data.length > maxBuffered) {
      const text = `${this.#bytes} bytes already wait for Redis; the option maxBuffered says how many may (${maxBuffered})`;
      return Promise.reject(new BackplaneError('ERR_WEBSOCKET_BACKPLANE_FULL', text, { group }));
    }
    return new Promise((resolve, reject) => {
      const letter: Letter = { group, data, resolve, reject, state: 'waiting', isTold: false };
      this.#letters.push(letter);
      this.#bytes += data.length;
      this.#pump();
      if (this.#state !== 'flowing') tellLater(letter);
    });
  }

  /** Sends what waits; called when the connection is there (again), too. */
  flush(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    if (this.#state === 'stopped') this.#state = 'flowing';
    this.#pump();
  }

  /** Waits for what can go out, for so many milliseconds at most, and gives up the rest. */
  async close(patience: number): Promise<void> {
    if (this.#options.isReady() && this.#letters.length > 0) {
      const timer = setTimeout(() => this.#giveUpHope(), patience);
      await new Promise<void>((resolve) => (this.#whenEmpty = resolve));
      clearTimeout(timer);
    }
    clearTimeout(this.#retry);
    this.#state = 'stopping';
    for (const letter of [...this.#letters]) this.#fail(letter, closedError());
  }

  #pump(): void {
    if (this.#state === 'flowing' && !this.#options.isReady()) this.#stop();
    while (this.#state === 'flowing' && this.#away < this.#window && this.#next < this.#letters.length) {
      const letter = this.#letters[this.#next++];
      if (letter?.state === 'waiting') void this.#dispatch(letter);
    }
  }

  async #dispatch(letter: Letter): Promise<void> {
    letter.state = 'away';
    this.#away++;
    let result: unknown;
    let error: unknown;
    try {
      result = await this.#options.add(letter.group, letter.data);
    } catch (reason) {
      error = reason;
    }
    this.#away--;
    // Closed meanwhile, and told so.
    if ((letter.state as Letter['state']) === 'done') return;
    if (error === undefined) {
      this.#window = WINDOW;
      letter.resolve(result);
      this.#finish(letter);
    } else if (isFinal(error)) {
      this.#fail(letter, error as Error);
    } else {
      letter.state = 'waiting';
      tellLater(letter);
      if (this.#state === 'flowing') this.#stop();
    }
    if (this.#state === 'stopping' && this.#away === 0) this.#stopped();
    this.#pump();
  }

  #stop(): void {
    this.#window = 1;
    this.#state = 'stopping';
    for (const letter of this.#letters) {
      if (letter.state === 'waiting') tellLater(letter);
    }
    if (this.#away === 0) this.#stopped();
  }

  #stopped(): void {
    this.#state = 'stopped';
    this.#next = 0;
    this.#retry ??= setTimeout(() => this.flush(), RETRY_DELAY).unref();
    if (!this.#options.isReady()) this.#giveUpHope();
  }

  #fail(letter: Letter, error: Error): void {
    if (letter.isTold) this.#options.dropped(letter.group, error);
    else letter.reject(error);
    this.#finish(letter);
  }

  #finish(letter: Letter): void {
    letter.state = 'done';
    this.#bytes -= letter.data.length;
    // One that failed before and now would come after: out of its order it would be refused by every receiver.
    for (const earlier of this.#waitingBefore(letter)) this.#fail(earlier, outOfOrderError(letter.group));
    let done = 0;
    while (this.#letters[done]?.state === 'done') done++;
    this.#letters.splice(0, done);
    this.#next = Math.max(0, this.#next - done);
    if (this.#letters.length === 0) this.#giveUpHope();
  }

  #waitingBefore(letter: Letter): Letter[] {
    const found: Letter[] = [];
    // Answers come in order, so there is hardly ever one.
    for (const earlier of this.#letters) {
      if (earlier === letter) break;
      if (earlier.state === 'waiting' && earlier.group === letter.group) found.push(earlier);
    }
    return found;
  }

  #giveUpHope(): void {
    this.#whenEmpty?.();
    this.#whenEmpty = undefined;
  }
}

/** Who waits for the answer should not wait for the end of an outage. */
function tellLater(letter: Letter): void {
  letter.isTold = true;
  letter.resolve('later');
}

/** Whether Redis has said no, and not just "not now". */
function isFinal(error: unknown): boolean {
  const reason = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return isReply(reason) && !isPassing(reason);
}

function outOfOrderError(group: string): BackplaneError {
  return new BackplaneError(
    'ERR_WEBSOCKET_BACKPLANE_REFUSED',
    'Redis has taken a later message and not this one, which could only go out of order now',
    { group },
  );
}
