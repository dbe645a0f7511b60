import { Duplex } from 'node:stream';

/**
 * Forms the base of a stream that stands for a `net.Socket`, for code that got a socket from a server. It has the members of a
 * socket that need no network.
 */
export abstract class SocketLike extends Duplex {
  get connecting(): boolean {
    return false;
  }

  get pending(): boolean {
    return false;
  }

  get readyState(): string {
    if (this.readable && this.writable) return 'open';
    if (this.readable) return 'readOnly';
    return this.writable ? 'writeOnly' : 'closed';
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  destroySoon(): void {
    if (this.writableFinished) {
      this.destroy();
      return;
    }
    this.once('finish', () => this.destroy());
    if (!this.writableEnded) this.end();
  }

  resetAndDestroy(): this {
    return this.destroy();
  }
}
