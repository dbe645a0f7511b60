import { Fifo } from './fifo.js';
import { PackedQueue } from './packed-queue.js';
import type { RedisPort } from './port.js';
import type { Command } from './sender.js';

/**
 * Bytes of memory that somebody takes who waits for what becomes of a message: the promises from here to the caller of
 * `send`, and what hangs on them. Measured in test/groups/memory.test.ts.
 */
export const WAITER_BYTES = 800;
/** Bytes of memory that a message on its way takes beside its data and its waiter. */
const LETTER_BYTES = 500;
/** Bytes of memory that a lane takes. */
export const LANE_BYTES = 600;

/** Somebody who waits for what becomes of a message. */
export interface Waiter {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** What a letter needs of those who send it. */
export interface LetterHost {
  send(port: RedisPort, letter: Letter): Promise<unknown>;
  answered(letter: Letter, reply: unknown): void;
  failed(letter: Letter, error: Error): void;
}

/** A message on its way to Redis. */
export class Letter implements Command {
  readonly lane: Lane;
  readonly data: Buffer;
  /** `undefined` when its sender has been told that it goes out later. */
  waiter: Waiter | undefined;
  since = 0;
  state: 'away' | 'failed' | 'done' = 'away';
  readonly #host: LetterHost;

  constructor(host: LetterHost, lane: Lane, data: Buffer, waiter: Waiter | undefined) {
    this.#host = host;
    this.lane = lane;
    this.data = data;
    this.waiter = waiter;
  }

  run(port: RedisPort): Promise<unknown> {
    return this.#host.send(port, this);
  }

  answered(reply: unknown): void {
    this.#host.answered(this, reply);
  }

  failed(error: Error): void {
    this.#host.failed(this, error);
  }

  /** Who waits for the answer should not wait for the end of an outage. */
  tellLater(): void {
    this.waiter?.resolve('later');
    this.waiter = undefined;
  }
}

/** The messages of one group, in their order: those that are on their way, that are to be sent again, and that wait. */
export class Lane {
  readonly group: string;
  /** Bytes of memory that it takes, with all that is in it. */
  bytes = LANE_BYTES;
  /** Whether it has its place among the lanes that take turns. */
  isInTurn = false;
  readonly #host: LetterHost;
  // Those that are done are taken off at the front.
  readonly #away = new Fifo<Letter>();
  #again: Fifo<Letter> | undefined;
  #waiting: PackedQueue | undefined;
  // Of those that wait, only the last ones have somebody who waits for them.
  #waiters: Fifo<Waiter> | undefined;

  constructor(group: string, host: LetterHost) {
    this.group = group;
    this.#host = host;
  }

  get hasNext(): boolean {
    return this.#waiting !== undefined || this.#again !== undefined;
  }

  /** Whether none of its messages is on its way. */
  get isIdle(): boolean {
    return this.#away.length === 0;
  }

  get isEmpty(): boolean {
    return this.#away.length === 0 && !this.hasNext;
  }

  /** By how much `bytes` grows when a message has to wait. */
  growthFor(data: Buffer): number {
    return (this.#waiting ?? EMPTY).growthFor(data.length);
  }

  /** Adds a message that waits for its turn; without a waiter when the sender has been told that it goes out later. */
  push(data: Buffer, waiter?: Waiter): void {
    this.#waiting ??= new PackedQueue();
    this.bytes += this.#waiting.growthFor(data.length);
    this.#waiting.push(data);
    if (waiter === undefined) return;
    this.#waiters ??= new Fifo();
    this.#waiters.push(waiter);
    this.bytes += WAITER_BYTES;
  }

  /** Tells all who wait for their turn that it comes later. */
  tellLater(): void {
    const waiters = this.#waiters;
    if (waiters === undefined) return;
    this.#waiters = undefined;
    this.bytes -= waiters.length * WAITER_BYTES;
    for (const { resolve } of waiters) resolve('later');
  }

  /** Makes a message a letter that goes out before all that waits. */
  dispatch(data: Buffer, waiter: Waiter | undefined): Letter {
    const letter = new Letter(this.#host, this, data, waiter);
    this.bytes += bytesOf(letter);
    this.#away.push(letter);
    return letter;
  }

  /** The next letter. */
  next(): Letter | undefined {
    const again = this.#again?.shift();
    if (this.#again?.length === 0) this.#again = undefined;
    if (again === undefined) return this.#shiftWaiting();
    again.state = 'away';
    this.#away.push(again);
    return again;
  }

  /** Takes a letter out. */
  finish(letter: Letter): void {
    letter.state = 'done';
    this.bytes -= bytesOf(letter);
    while (this.#away.first?.state === 'done') this.#away.shift();
  }

  /** Letters that have failed, though a later one has not. */
  failedBefore(taken: Letter): Letter[] {
    // Answers come in order, so there is hardly ever one.
    if (this.#away.first === taken) return [];
    const earlier: Letter[] = [];
    for (const letter of this.#away) {
      if (letter === taken) break;
      if (letter.state === 'failed') earlier.push(letter);
    }
    return earlier;
  }

  /** Called when no letter is on its way any more: those that have failed are to be sent again, before all others. */
  sendAgain(): void {
    const failed: Letter[] = [];
    for (let letter = this.#away.shift(); letter !== undefined; letter = this.#away.shift()) {
      if (letter.state === 'failed') failed.push(letter);
    }
    if (failed.length === 0) return;
    this.#again ??= new Fifo();
    this.#again.putBack(failed);
  }

  /** Gives everything up: rejects for those who wait, and returns how many messages are left for which nobody waits. */
  clear(error: Error): number {
    const letters = [...this.#away, ...(this.#again ?? [])].filter(({ state }) => state !== 'done');
    const waiters = [...letters.map(({ waiter }) => waiter), ...(this.#waiters ?? [])].filter(
      (each) => each !== undefined,
    );
    for (const letter of letters) letter.state = 'done';
    for (const { reject } of waiters) reject(error);
    return letters.length + (this.#waiting?.length ?? 0) - waiters.length;
  }

  #shiftWaiting(): Letter | undefined {
    const waiting = this.#waiting;
    if (waiting === undefined) return undefined;
    const hasWaiter = this.#waiters?.length === waiting.length;
    const before = waiting.bytes;
    const data = waiting.shift() as Buffer;
    this.bytes += waiting.bytes - before;
    if (waiting.length === 0) this.#waiting = undefined;
    if (!hasWaiter) return this.dispatch(data, undefined);
    this.bytes -= WAITER_BYTES;
    const waiter = this.#waiters?.shift();
    if (this.#waiters?.length === 0) this.#waiters = undefined;
    return this.dispatch(data, waiter);
  }
}

const EMPTY = new PackedQueue();

function bytesOf(letter: Letter): number {
  return LETTER_BYTES + WAITER_BYTES + letter.data.length;
}
