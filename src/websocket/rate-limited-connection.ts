import type { MessageRate } from '../options/options.js';
import { clearTimeout, MAX_DELAY, setTimeout } from '../shared/real-timers.js';
import { Connection } from './connection.js';
import { TokenBucket } from './token-bucket.js';

/**
 * Limits the rate of received messages: above it, the connection pauses reading (see the option `messageRate`).
 *
 * It is a class of its own, so that a connection without a limit pays nothing. The limit is here, and not in a queue, because
 * each way of reading a websocket has another queue.
 */
export class RateLimitedConnection<Owner = unknown> extends Connection<Owner> {
  #bucket: TokenBucket | undefined;
  /** Runs while the rate pauses reading. */
  #timer: NodeJS.Timeout | undefined;
  /** Whether the queue of unread messages pauses reading. */
  #isQueueFull = false;

  /** Must be called before the socket delivers data. */
  limit({ count, per }: MessageRate): void {
    this.#bucket = new TokenBucket(count, per);
  }

  override get isRateLimited(): boolean {
    return this.#timer !== undefined;
  }

  override admit(): boolean {
    const delay = this.#bucket?.take() ?? 0;
    if (delay === 0) return true;
    this.#timer ??= setTimeout(
      () => {
        this.#goOn();
      },
      Math.min(delay, MAX_DELAY),
    ).unref();
    super.pause();
    return false;
  }

  override emit(event: string | symbol, first?: unknown, second?: unknown): boolean {
    if (event === 'close') this.#endLimit();
    return super.emit(event, first, second);
  }

  override pause(): void {
    this.#isQueueFull = true;
    super.pause();
  }

  override resume(): void {
    this.#isQueueFull = false;
    if (this.#timer === undefined) super.resume();
  }

  override sendClose(code?: number, reason?: string | Buffer): void {
    super.sendClose(code, reason);
    // From now on messages are dropped, and the close frame of the peer comes behind them.
    this.#endLimit();
  }

  #goOn(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#isQueueFull) super.resume();
  }

  #endLimit(): void {
    this.#bucket = undefined;
    if (this.#timer !== undefined) this.#goOn();
  }
}
