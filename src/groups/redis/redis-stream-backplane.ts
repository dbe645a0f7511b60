import { clearTimeout, now, setTimeout } from '../../shared/real-timers.js';
import type { Backplane, BackplaneEvents } from '../backplane.js';
import { closedError, isPassing, tooLargeError } from './faults.js';
import { Limiter } from './limiter.js';
import { RedisLink } from './link.js';
import { type RedisStreamBackplaneOptions, resolveStreamOptions, type StreamSettings } from './options.js';
import { Outbox } from './outbox.js';
import type { RedisClient } from './port.js';
import {
  compareEnds,
  makeAddCommand,
  noteCommand,
  type NoStream,
  parseReply,
  type Position,
  readAfter,
  readFrom,
  readNothing,
  type StreamPage,
} from './stream-entry.js';
import { StreamTail } from './stream-tail.js';

/**
 * As {@link redisBackplane}, and what is sent during an outage arrives after it, in order and once: Redis keeps the last
 * `maxLength` messages of each group, and each process keeps what it could not hand over. When more was missed than is kept,
 * `groups` tells with the event `missed`.
 *
 * Redis must keep its data over a restart for that (`appendonly yes`); else `missed` is told after each.
 *
 * @param client A client of `redis` or `ioredis`; not one that also waits with BLPOP and the like.
 * @throws {TypeError} It is no such client.
 * @throws {WebsocketOptionError} An option of a wrong type or value, or an unknown one; `maxLength` is left out.
 * @example
 * const groups = createGroups({ backplane: redisStreamBackplane(client, { maxLength: 10_000 }) });
 */
export function redisStreamBackplane(client: RedisClient, options: RedisStreamBackplaneOptions): Backplane {
  return new RedisStreamBackplane(client, resolveStreamOptions(options));
}

/** Streams that are read at a time: what is sent meanwhile must not wait for them all, nor a reply for its turn. */
const READERS = 64;
/** Streams that one command compares. */
const COMPARED = 100;

/** Milliseconds, see `reach` of a tail. A replica seldom lags by more. */
const REACH = 60_000;

/** Milliseconds until what a Redis that is not ready yet has refused is asked again. */
const RETRY_DELAY = 250;

class RedisStreamBackplane implements Backplane {
  readonly #settings: StreamSettings;
  readonly #link: RedisLink;
  readonly #outbox: Outbox;
  readonly #tails = new Map<string, StreamTail>();
  readonly #readers = new Limiter(READERS);
  #events: BackplaneEvents | undefined;
  #cutSince: number | undefined;
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(client: RedisClient, settings: StreamSettings) {
    this.#settings = settings;
    this.#link = new RedisLink({
      client,
      backplane: 'redisStreamBackplane',
      isUnusable: isPassing,
      ...settings,
    });
    const makeCommand = makeAddCommand({ ...settings, isCluster: this.#link.isCluster });
    this.#outbox = new Outbox({
      maxBuffered: settings.maxBuffered,
      keeps: true,
      oneByOne: this.#link.isCluster,
      canSend: () => this.#link.isReady(),
      post: (command) => this.#link.post(command),
      send: (port, group, data) => {
        const key = this.#link.channelOf(group);
        return port.command(key, makeCommand(key, data));
      },
      dropped: (group, count, error) => this.#events?.dropped(group, count, error),
    });
  }

  start(events: BackplaneEvents): void {
    this.#link.start({
      message: (group, message) => this.#tails.get(group)?.take(message, this.#cutFor()),
      ready: () => this.#outbox.flush(),
      cutOff: (error) => {
        if (this.#cutSince !== undefined) return;
        this.#cutSince = now();
        events.cutOff(error);
      },
      back: () => void this.#catchUp(),
    });
    this.#events = events;
  }

  publish(group: string, data: Buffer): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(closedError());
    const { maxPayload } = this.#settings;
    if (data.length > maxPayload) return Promise.reject(tooLargeError(group, data.length, maxPayload));
    return this.#outbox.add(group, data);
  }

  async subscribe(group: string): Promise<void> {
    const tail = this.#openTail(group);
    this.#tails.set(group, tail);
    try {
      await this.#link.subscribe(group);
      await tail.begin();
    } catch (error) {
      await this.unsubscribe(group);
      throw error;
    }
  }

  // `async`, so that it gives a promise.
  async unsubscribe(group: string): Promise<void> {
    this.#tails.delete(group);
    this.#link.unsubscribe(group);
    return Promise.resolve();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    // A script may connect, send and end.
    await this.#link.whenKnown();
    await this.#outbox.close(this.#settings.timeout);
    await this.#link.close();
  }

  #openTail(group: string): StreamTail {
    const key = this.#link.channelOf(group);
    const ask = async (command: (string | Buffer)[]): Promise<StreamPage | NoStream> =>
      parseReply(await this.#readers.run(() => this.#link.run((port) => port.command(key, command))));
    return new StreamTail({
      maxAge: this.#settings.maxAge,
      reach: REACH,
      stream: {
        after: (position) => ask(readAfter(key, position)),
        from: (id) => ask(readFrom(key, id)) as Promise<StreamPage>,
        look: () => ask(readNothing(key)),
        note: (era) => this.#link.run((port) => port.command(key, noteCommand(key, era, port.isCluster))),
      },
      deliver: (data) => this.#events?.message(group, data),
      missed: (count) => this.#events?.missed(group, count),
      failed: () => this.#catchUpLater(),
    });
  }

  /** The milliseconds of the outage; 0 while there is none. */
  #cutFor(): number {
    return this.#cutSince === undefined ? 0 : now() - this.#cutSince;
  }

  /** The outage is over for the app when all that was missed is there. */
  async #catchUp(): Promise<void> {
    const cutFor = this.#cutFor();
    const tails = this.#tails.entries();
    const read = async (): Promise<void> => {
      for (let part = take(tails, COMPARED); part.length > 0; part = take(tails, COMPARED)) {
        for (const tail of await this.#findChanged(part, cutFor)) await tail.catchUp(cutFor);
      }
    };
    const results = await Promise.allSettled(Array.from({ length: READERS }, read));
    if (this.#isClosed || !this.#link.isUp()) return;
    if (results.some(({ status }) => status === 'rejected')) {
      this.#catchUpLater();
      return;
    }
    if (this.#cutSince === undefined) return;
    this.#cutSince = undefined;
    this.#events?.back();
  }

  /** Most streams are as they were, and one command tells for many of them. */
  async #findChanged(tails: [string, StreamTail][], cutFor: number): Promise<StreamTail[]> {
    const all = tails.map(([, tail]) => tail);
    // On a cluster they are on many nodes; and what may have expired has to be looked at.
    if (this.#link.isCluster || cutFor >= this.#settings.maxAge) return all;
    const known: [string, Position | undefined][] = [];
    const compared: StreamTail[] = [];
    const changed: StreamTail[] = [];
    for (const [group, tail] of tails) {
      const { end } = tail;
      if (end === false) {
        changed.push(tail);
      } else {
        known.push([this.#link.channelOf(group), end]);
        compared.push(tail);
      }
    }
    if (known.length === 0) return changed;
    const reply = await this.#link.run((port) => port.command(this.#link.channelOf(''), compareEnds(known)));
    const numbers = new Set((reply as unknown[]).map(Number));
    for (const [index, tail] of compared.entries()) {
      if (numbers.has(index + 1)) changed.push(tail);
      else tail.confirm();
    }
    return changed;
  }

  #catchUpLater(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#retry);
    // When the link is not up, its being back calls for it.
    this.#retry = setTimeout(() => {
      if (this.#link.isUp()) void this.#catchUp();
    }, RETRY_DELAY).unref();
  }
}

function take<T>(items: Iterator<T>, count: number): T[] {
  const taken: T[] = [];
  for (let item = items.next(); item.done !== true; item = items.next()) {
    taken.push(item.value);
    if (taken.length >= count) break;
  }
  return taken;
}
