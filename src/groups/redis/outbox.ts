import { clearTimeout, setTimeout } from '../../shared/real-timers.js';
import { BackplaneError } from '../errors.js';
import { closedError, isFinal } from './faults.js';
import { Fifo } from './fifo.js';
import { Lane, LANE_BYTES, type Letter, type LetterHost, WAITER_BYTES } from './lane.js';
import type { RedisPort } from './port.js';
import type { Command } from './sender.js';

/** Commands on their way at a time: enough to keep Redis busy, few enough that an answer comes soon. */
const WINDOW = 500;
/** Bytes on their way at a time. What a client holds cannot be taken back, so it must be little. */
const WINDOW_BYTES = 2 ** 20;
const RETRY_DELAY = 250;

export interface OutboxOptions {
  /** Bytes of memory that messages may take here. */
  readonly maxBuffered: number;
  /** Whether a message stays here until Redis has confirmed it. If not, one that fails is given up. */
  readonly keeps: boolean;
  /**
   * Whether a group has only one message on its way at a time. A client of a cluster sends again what a node has refused
   * because a slot has moved, and does not keep the order.
   */
  readonly oneByOne: boolean;
  /** Whether a message may go out now. If not, it waits for `flush`. */
  readonly canSend: () => boolean;
  readonly post: (command: Command) => void;
  readonly send: (port: RedisPort, group: string, data: Buffer) => Promise<unknown>;
  /** Messages that were to go out later could not, in the end. */
  readonly dropped: (group: string, count: number, error: Error) => void;
}

/**
 * The messages that Redis has not confirmed yet.
 *
 * Groups take turns, so that many messages of one group do not delay the others. The order in a group stays.
 *
 * When a message fails that is kept, sending stops until all that is on its way has come to its end. Then what is not
 * confirmed is sent again, from the first on, one message alone at first. Redis may have taken some of it before the
 * connection broke; receivers count it once.
 */
export class Outbox implements LetterHost {
  readonly #options: OutboxOptions;
  readonly #lanes = new Map<string, Lane>();
  // The lanes with messages to send, in the order of their turns.
  readonly #turns = new Fifo<Lane>();
  #bytes = 0;
  #away = 0;
  #awayBytes = 0;
  #window = WINDOW;
  #state: 'flowing' | 'stopping' | 'stopped' | 'closed' = 'flowing';
  #isPumping = false;
  #retry: NodeJS.Timeout | undefined;
  #whenEmpty: (() => void) | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Resolves with the answer of Redis, or with `'later'`. */
  add(group: string, data: Buffer): Promise<unknown> {
    const { keeps, canSend, maxBuffered } = this.#options;
    if (this.#state === 'closed') return Promise.reject(closedError());
    const lane = this.#lanes.get(group) ?? new Lane(group, this);
    const isKept = keeps && (this.#state !== 'flowing' || !canSend());
    const growth = lane.growthFor(data) + (isKept ? 0 : WAITER_BYTES) + (lane.isEmpty ? LANE_BYTES : 0);
    if (this.#bytes + growth > maxBuffered) return Promise.reject(fullError(group, this.#bytes, maxBuffered));
    if (lane.isEmpty) this.#bytes += LANE_BYTES;
    this.#lanes.set(group, lane);
    if (isKept) {
      this.#bytes -= lane.bytes;
      lane.push(data);
      this.#bytes += lane.bytes;
      this.#takeTurns(lane);
      if (this.#state === 'flowing') this.#stop();
      return LATER;
    }
    return new Promise((resolve, reject) => {
      const waiter = { resolve, reject };
      if (this.#isFree(lane) && canSend()) {
        this.#bytes -= lane.bytes;
        const letter = lane.dispatch(data, waiter);
        this.#bytes += lane.bytes;
        this.#post(letter);
      } else {
        this.#bytes -= lane.bytes;
        lane.push(data, waiter);
        this.#bytes += lane.bytes;
        this.#takeTurns(lane);
        this.#pump();
      }
    });
  }

  /** Sends what waits. Called whenever a connection is there (again). */
  flush(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    if (this.#state === 'stopped') this.#state = 'flowing';
    this.#pump();
  }

  /** Waits for what can go out, for so many milliseconds at most, and gives up the rest. */
  async close(patience: number): Promise<void> {
    if (this.#options.canSend() && this.#lanes.size > 0) {
      const timer = setTimeout(() => this.#settleEmpty(), patience);
      await new Promise<void>((resolve) => (this.#whenEmpty = resolve));
      clearTimeout(timer);
    }
    clearTimeout(this.#retry);
    this.#state = 'closed';
    for (const lane of this.#lanes.values()) {
      const count = lane.clear(closedError());
      if (count > 0) this.#options.dropped(lane.group, count, closedError());
    }
    this.#lanes.clear();
  }

  send(port: RedisPort, { lane, data }: Letter): Promise<unknown> {
    return this.#options.send(port, lane.group, data);
  }

  answered(letter: Letter, reply: unknown): void {
    if (!this.#isBack(letter)) return;
    this.#window = WINDOW;
    // Those now would come after it, and every receiver would refuse them.
    for (const earlier of letter.lane.failedBefore(letter))
      this.#fail(earlier, outOfOrderError(letter.lane.group));
    this.#finish(letter);
    letter.waiter?.resolve(reply);
    this.#goOn();
  }

  failed(letter: Letter, error: Error): void {
    if (!this.#isBack(letter)) return;
    if (!this.#options.keeps || isFinal(error)) {
      this.#fail(letter, error);
    } else {
      letter.state = 'failed';
      letter.tellLater();
      if (this.#state === 'flowing') this.#stop();
    }
    this.#goOn();
  }

  /** Whether nothing has to go out before a message of this lane. */
  #isFree(lane: Lane): boolean {
    if (this.#state !== 'flowing' || this.#turns.length > 0 || lane.hasNext) return false;
    return this.#hasRoom() && (lane.isIdle || !this.#options.oneByOne);
  }

  #takeTurns(lane: Lane): void {
    if (lane.isInTurn || !lane.hasNext || (this.#options.oneByOne && !lane.isIdle)) return;
    lane.isInTurn = true;
    this.#turns.push(lane);
  }

  #pump(): void {
    // What is sent may fail at once, and come back here.
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (this.#state === 'flowing' && this.#turns.length > 0 && this.#hasRoom()) {
      if (!this.#options.canSend()) {
        if (this.#options.keeps) this.#stop();
        break;
      }
      this.#sendNext();
    }
    this.#isPumping = false;
  }

  #sendNext(): void {
    const lane = this.#turns.shift();
    if (lane === undefined) return;
    const before = lane.bytes;
    const letter = lane.next();
    this.#bytes += lane.bytes - before;
    lane.isInTurn = false;
    this.#takeTurns(lane);
    if (letter !== undefined) this.#post(letter);
  }

  #post(letter: Letter): void {
    this.#away++;
    this.#awayBytes += letter.data.length;
    this.#options.post(letter);
  }

  #hasRoom(): boolean {
    return this.#away < this.#window && (this.#away === 0 || this.#awayBytes < WINDOW_BYTES);
  }

  /** Whether a letter whose command has come to its end is still ours: `close` may have given it up. */
  #isBack(letter: Letter): boolean {
    this.#away--;
    this.#awayBytes -= letter.data.length;
    return letter.state === 'away';
  }

  #goOn(): void {
    if (this.#state === 'stopping' && this.#away === 0) this.#stopped();
    // Not for each answer: many commands that are given to a client together cost it less.
    if (this.#away <= this.#window / 2) this.#pump();
  }

  #stop(): void {
    this.#window = 1;
    this.#state = 'stopping';
    for (const lane of this.#lanes.values()) {
      this.#bytes -= lane.bytes;
      lane.tellLater();
      this.#bytes += lane.bytes;
    }
    if (this.#away === 0) this.#stopped();
  }

  #stopped(): void {
    this.#state = 'stopped';
    for (const lane of this.#lanes.values()) {
      lane.sendAgain();
      this.#takeTurns(lane);
    }
    this.#retry ??= setTimeout(() => this.flush(), RETRY_DELAY).unref();
    if (!this.#options.canSend()) this.#settleEmpty();
  }

  #fail(letter: Letter, error: Error): void {
    if (letter.waiter === undefined) this.#options.dropped(letter.lane.group, 1, error);
    else letter.waiter.reject(error);
    this.#finish(letter);
  }

  #finish(letter: Letter): void {
    const { lane } = letter;
    this.#bytes -= lane.bytes;
    lane.finish(letter);
    if (lane.isEmpty) {
      this.#lanes.delete(lane.group);
    } else {
      this.#bytes += lane.bytes;
      this.#takeTurns(lane);
    }
    if (this.#lanes.size === 0) this.#settleEmpty();
  }

  #settleEmpty(): void {
    this.#whenEmpty?.();
    this.#whenEmpty = undefined;
  }
}

const LATER = Promise.resolve('later');

function fullError(group: string, bytes: number, maxBuffered: number): BackplaneError {
  return new BackplaneError(
    'ERR_WEBSOCKET_BACKPLANE_FULL',
    `messages that wait for Redis take ${String(bytes)} of ${String(maxBuffered)} bytes; ` +
      'send fewer messages, or raise the option maxBuffered of the backplane',
    { group },
  );
}

function outOfOrderError(group: string): BackplaneError {
  return new BackplaneError(
    'ERR_WEBSOCKET_BACKPLANE_REFUSED',
    'Redis has taken a later message and not this one, which could only go out of order now',
    { group },
  );
}
