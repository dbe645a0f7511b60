import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Backplane } from '../groups/index.js';
import { clearTimeout, now, setTimeout } from '../shared/real-timers.js';

/** Milliseconds in which an unwanted or repeated message must arrive to be noticed. */
const LATE_MESSAGE_TIME = 200;

/** Creates the backplanes of one test, waits for their events, and closes them. */
export class ContractFixture {
  readonly #create: () => Backplane | Promise<Backplane>;
  readonly #timeout: number;
  readonly #events = new EventEmitter();
  readonly #ends: (() => PromiseLike<unknown>)[] = [];

  /** @param timeout Milliseconds that each wait may take. */
  constructor(create: () => Backplane | Promise<Backplane>, timeout: number) {
    this.#create = create;
    this.#timeout = timeout;
    this.#events.setMaxListeners(0);
  }

  async create(): Promise<Backplane> {
    return await this.#create();
  }

  /** Creates and starts a backplane, and records its events. */
  async open(): Promise<RecordedBackplane> {
    return this.start(await this.create());
  }

  /** Starts an existing backplane, and records its events. */
  start(backplane: Backplane): RecordedBackplane {
    this.onClose(() => backplane.close());
    return new RecordedBackplane(backplane, this, () => this.#events.emit('event'));
  }

  onClose(end: () => PromiseLike<unknown>): void {
    this.#ends.push(end);
  }

  async close(): Promise<void> {
    const ends = this.#ends.map(async (end) => this.within(end(), 'close resolves'));
    // Close all, even if one fails: an open backplane would keep the test runner from ending.
    await Promise.allSettled(ends);
    await Promise.all(ends);
  }

  /** Waits long enough for unwanted messages to arrive. */
  waitForLateMessages(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, LATE_MESSAGE_TIME));
  }

  /** Resolves when the condition is true. Checks it after each event. */
  async waitUntil(condition: () => boolean, describe: () => string): Promise<void> {
    const deadline = now() + this.#timeout;
    while (!condition()) {
      const left = deadline - now();
      assert.ok(left > 0, `within ${this.#timeout} ms: ${describe()}`);
      await this.#waitForEvent(Math.min(left, 20));
    }
  }

  /** Resolves like the promise, or rejects when it takes too long. */
  async within<T>(promise: PromiseLike<T>, what: string): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () => reject(new assert.AssertionError({ message: `within ${this.#timeout} ms: ${what}` })),
        this.#timeout,
      );
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  // Some conditions have no event (`isCutOff()` of groups), so the wait has a limit.
  #waitForEvent(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#events.off('event', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#events.once('event', done);
    });
  }
}

/** Records the events and messages of one backplane of a {@link ContractFixture}. */
export class RecordedBackplane {
  readonly backplane: Backplane;
  /** The names of all events except `message`, in order. */
  readonly outageEvents: string[] = [];
  readonly #fixture: ContractFixture;
  readonly #received = new Map<string, Buffer[]>();

  constructor(backplane: Backplane, fixture: ContractFixture, onEvent: () => void) {
    this.backplane = backplane;
    this.#fixture = fixture;
    const record = (event: string): void => {
      this.outageEvents.push(event);
      onEvent();
    };
    backplane.start({
      message: (channel, data) => {
        const all = this.#received.get(channel);
        if (all === undefined) this.#received.set(channel, [Buffer.from(data)]);
        else all.push(Buffer.from(data));
        onEvent();
      },
      cutOff: () => record('cutOff'),
      back: () => record('back'),
      missed: () => record('missed'),
      dropped: () => record('dropped'),
    });
  }

  // `async` turns a throw into a rejection, where the contract allows both.
  async publish(channel: string, data: string | Buffer): Promise<unknown> {
    return await this.backplane.publish(channel, Buffer.from(data as string));
  }

  async subscribe(channel: string): Promise<void> {
    await this.#fixture.within(
      this.backplane.subscribe(channel),
      `subscribe(${JSON.stringify(channel)}) resolves`,
    );
  }

  async unsubscribe(channel: string): Promise<void> {
    await this.#fixture.within(
      this.backplane.unsubscribe(channel),
      `unsubscribe(${JSON.stringify(channel)}) resolves`,
    );
  }

  /** Returns the channels on which messages have arrived. */
  channels(): string[] {
    return [...this.#received.keys()];
  }

  receivedBytes(channel: string): readonly Buffer[] {
    return this.#received.get(channel) ?? [];
  }

  received(channel: string): string[] {
    return this.receivedBytes(channel).map(String);
  }

  async receivesCount(channel: string, count: number): Promise<void> {
    const countReceived = (): number => this.receivedBytes(channel).length;
    await this.#fixture.waitUntil(
      () => countReceived() >= count,
      () => `${count} messages on ${JSON.stringify(channel)}; there are ${countReceived()}`,
    );
    assert.equal(countReceived(), count, `the number of messages on ${JSON.stringify(channel)}`);
  }

  /** Resolves when exactly these messages have arrived, in this order. */
  async receives(channel: string, messages: readonly string[]): Promise<void> {
    await this.receivesCount(channel, messages.length);
    assert.deepEqual(this.received(channel), messages, `the messages on ${JSON.stringify(channel)}`);
  }

  waitForOutage(): Promise<void> {
    return this.#fixture.waitUntil(
      () => this.outageEvents.at(-1) === 'cutOff',
      () => 'events.cutOff is called',
    );
  }

  waitForRecovery(): Promise<void> {
    return this.#fixture.waitUntil(
      () => this.outageEvents.at(-1) === 'back',
      () => 'events.back is called',
    );
  }
}
