import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Backplane } from '../groups/index.js';
import { clearTimeout, now, setTimeout } from '../shared/real-timers.js';

/** Milliseconds after which what has not come twice is taken to have come once. */
const QUIET = 200;

/** The backplanes of one test, what they hear, and the patience to wait for it. */
export class Party {
  readonly #create: () => Backplane | Promise<Backplane>;
  readonly #patience: number;
  readonly #news = new EventEmitter();
  readonly #ends: (() => PromiseLike<unknown>)[] = [];

  /** @param patience Milliseconds that anything may take. */
  constructor(create: () => Backplane | Promise<Backplane>, patience: number) {
    this.#create = create;
    this.#patience = patience;
    this.#news.setMaxListeners(0);
  }

  async make(): Promise<Backplane> {
    return await this.#create();
  }

  /** One more backplane, started, with an ear for all that it tells. */
  async join(): Promise<Guest> {
    return this.start(await this.make());
  }

  /** As `join`, of one that is there already. */
  start(backplane: Backplane): Guest {
    this.atEnd(() => backplane.close());
    return new Guest(backplane, this, () => this.#news.emit('news'));
  }

  atEnd(end: () => PromiseLike<unknown>): void {
    this.#ends.push(end);
  }

  async end(): Promise<void> {
    const ends = this.#ends.map(async (end) => this.soon(end(), 'close resolves'));
    // All of them, whatever becomes of one: what stays open would keep the tests from ending.
    await Promise.allSettled(ends);
    await Promise.all(ends);
  }

  /** Resolves when whatever is on its way, and should not be, has had the time to come. */
  quiet(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, QUIET));
  }

  /** Resolves when something is so; looks whenever something was told. */
  async until(isSo: () => boolean, describe: () => string): Promise<void> {
    const deadline = now() + this.#patience;
    while (!isSo()) {
      const left = deadline - now();
      assert.ok(left > 0, `within ${this.#patience} ms: ${describe()}`);
      await this.#newsWithin(Math.min(left, 20));
    }
  }

  /** What a promise gives, if it gives it in time. */
  async soon<T>(promise: PromiseLike<T>, what: string): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () => reject(new assert.AssertionError({ message: `within ${this.#patience} ms: ${what}` })),
        this.#patience,
      );
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  // Not everything has an event (`isCutOff()` of groups), so we also look now and then.
  #newsWithin(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#news.off('news', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#news.once('news', done);
    });
  }
}

/** One backplane of a {@link Party}. */
export class Guest {
  readonly backplane: Backplane;
  /** `cutOff` and `back`, in the order in which they were told. */
  readonly told: string[] = [];
  readonly #party: Party;
  readonly #heard = new Map<string, Buffer[]>();

  constructor(backplane: Backplane, party: Party, news: () => void) {
    this.backplane = backplane;
    this.#party = party;
    const tell = (what: string): void => {
      this.told.push(what);
      news();
    };
    backplane.start({
      message: (channel, data) => {
        const all = this.#heard.get(channel);
        if (all === undefined) this.#heard.set(channel, [Buffer.from(data)]);
        else all.push(Buffer.from(data));
        news();
      },
      cutOff: () => tell('cutOff'),
      back: () => tell('back'),
      missed: () => tell('missed'),
      dropped: () => tell('dropped'),
    });
  }

  // `async`, so that a method that throws is seen as one that rejects where that is allowed.
  async publish(channel: string, data: string | Buffer): Promise<unknown> {
    return await this.backplane.publish(channel, Buffer.from(data as string));
  }

  async subscribe(channel: string): Promise<void> {
    await this.#party.soon(
      this.backplane.subscribe(channel),
      `subscribe(${JSON.stringify(channel)}) resolves`,
    );
  }

  async unsubscribe(channel: string): Promise<void> {
    await this.#party.soon(
      this.backplane.unsubscribe(channel),
      `unsubscribe(${JSON.stringify(channel)}) resolves`,
    );
  }

  /** The channels on which something came. */
  channels(): string[] {
    return [...this.#heard.keys()];
  }

  heardBytes(channel: string): readonly Buffer[] {
    return this.#heard.get(channel) ?? [];
  }

  heard(channel: string): string[] {
    return this.heardBytes(channel).map(String);
  }

  async counts(channel: string, count: number): Promise<void> {
    const so = (): number => this.heardBytes(channel).length;
    await this.#party.until(
      () => so() >= count,
      () => `${count} messages on ${JSON.stringify(channel)}; there are ${so()}`,
    );
    assert.equal(so(), count, `the number of messages on ${JSON.stringify(channel)}`);
  }

  /** Resolves when exactly these messages have come, in this order. */
  async hears(channel: string, messages: readonly string[]): Promise<void> {
    await this.counts(channel, messages.length);
    assert.deepEqual(this.heard(channel), messages, `the messages on ${JSON.stringify(channel)}`);
  }

  isCutOff(): Promise<void> {
    return this.#party.until(
      () => this.told.at(-1) === 'cutOff',
      () => 'events.cutOff is called',
    );
  }

  isBack(): Promise<void> {
    return this.#party.until(
      () => this.told.at(-1) === 'back',
      () => 'events.back is called',
    );
  }
}
