import { clearTimeout, setTimeout } from '../../real-timers.js';
import { BackplaneError } from '../errors.js';
import { closedError, isPassing, isReply } from './faults.js';

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
  /** On its way; to be sent (again); or at its end. */
  state: 'away' | 'kept' | 'done';
  /** Whether the sender has been told that it goes out later. */
  isTold: boolean;
}

/**
 * What is to be added to streams, in order, until Redis has confirmed it.
 *
 * After an outage all that is not confirmed is sent again. Some of it may have been taken before the connection broke; then
 * it is in the stream twice, and receivers count it once.
 */
export class StreamOutbox {
  readonly #options: OutboxOptions;
  #letters: Letter[] = [];
  #bytes = 0;
  // Whether what is given can go out at once; else those before it must go first.
  #isFlowing = false;
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
      const letter: Letter = { group, data, resolve, reject, state: 'kept', isTold: false };
      this.#letters.push(letter);
      this.#bytes += data.length;
      if (this.#isFlowing && this.#options.isReady()) void this.#dispatch(letter);
      else this.#hold(letter);
    });
  }

  /** Sends what is kept; called when the connection is there (again). The first goes alone, to see how it fares. */
  async flush(): Promise<void> {
    this.#stopRetry();
    // What is away comes to its end first, and then this is called again if it has failed.
    if (this.#letters.some(({ state }) => state === 'away')) return;
    if (this.#isFlowing || !this.#options.isReady()) return;
    const [first] = this.#letters;
    if (first !== undefined) {
      await this.#dispatch(first);
      if (first.state !== 'done') return;
    }
    this.#stopRetry();
    this.#isFlowing = true;
    for (const letter of this.#letters) {
      if (letter.state === 'kept') void this.#dispatch(letter);
    }
  }

  /** Waits for what is under way if there is hope, for so many milliseconds at most, and gives up the rest. */
  async close(patience: number): Promise<void> {
    if (this.#options.isReady() && this.#letters.length > 0) {
      const timer = setTimeout(() => this.#giveUpHope(), patience);
      await new Promise<void>((resolve) => (this.#whenEmpty = resolve));
      clearTimeout(timer);
    }
    this.#stopRetry();
    for (const letter of [...this.#letters]) this.#fail(letter, closedError());
  }

  async #dispatch(letter: Letter): Promise<void> {
    letter.state = 'away';
    try {
      const result = await this.#options.add(letter.group, letter.data);
      this.#finish(letter);
      letter.resolve(result);
    } catch (error) {
      const reason = error instanceof Error && error.cause !== undefined ? error.cause : error;
      if (isReply(reason) && !isPassing(reason)) this.#fail(letter, error as Error);
      else this.#hold(letter);
    }
  }

  #hold(letter: Letter): void {
    letter.state = 'kept';
    letter.isTold = true;
    letter.resolve('later');
    this.#isFlowing = false;
    if (!this.#options.isReady()) this.#giveUpHope();
    this.#retryLater();
  }

  #fail(letter: Letter, error: Error): void {
    this.#finish(letter);
    if (letter.isTold) this.#options.dropped(letter.group, error);
    else letter.reject(error);
  }

  #finish(letter: Letter): void {
    letter.state = 'done';
    this.#bytes -= letter.data.length;
    // One that failed before and now would come after: out of its order it would be refused by every receiver.
    for (const earlier of this.#keptBefore(letter)) this.#fail(earlier, outOfOrderError(letter.group));
    let done = 0;
    while (this.#letters[done]?.state === 'done') done++;
    if (done > 0) this.#letters.splice(0, done);
    if (this.#letters.length === 0) this.#giveUpHope();
    else if (!this.#isFlowing) this.#retryLater();
  }

  #keptBefore(letter: Letter): Letter[] {
    const found: Letter[] = [];
    // Answers come in order, so there is hardly ever one.
    for (const earlier of this.#letters) {
      if (earlier === letter) break;
      if (earlier.state === 'kept' && earlier.group === letter.group) found.push(earlier);
    }
    return found;
  }

  #retryLater(): void {
    this.#retry ??= setTimeout(() => void this.flush(), RETRY_DELAY).unref();
  }

  #stopRetry(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
  }

  #giveUpHope(): void {
    this.#whenEmpty?.();
    this.#whenEmpty = undefined;
  }
}

function outOfOrderError(group: string): BackplaneError {
  return new BackplaneError(
    'ERR_WEBSOCKET_BACKPLANE_REFUSED',
    'Redis has taken a later message and not this one, which could only go out of order now',
    { group },
  );
}
