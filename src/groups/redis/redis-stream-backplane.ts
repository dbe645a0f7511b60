import { clearTimeout, now, setTimeout } from '../../shared/real-timers.js';
import type { Backplane, BackplaneEvents } from '../backplane.js';
import { isPeopleChannel } from '../people/channels.js';
import { EntryAdder } from './entry-adder.js';
import { closedError, isTemporary, tooLargeError } from './faults.js';
import { Limiter } from './limiter.js';
import { RedisLink } from './link.js';
import { type RedisStreamBackplaneOptions, resolveStreamOptions, type StreamSettings } from './options.js';
import { Outbox } from './outbox.js';
import type { RedisClient } from './port.js';
import {
  compareEnds,
  noteCommand,
  type NoStream,
  parseReply,
  type Position,
  readAfter,
  readFrom,
  readNothing,
  type StreamPage,
} from './stream-entry.js';
import { StreamHistory, toKept } from './stream-history.js';
import { StreamTail } from './stream-tail.js';

/**
 * Connects the groups of all processes over Redis Streams, so that an outage loses no message.
 *
 * It works like {@link redisBackplane}, but messages from an outage arrive afterwards, once and in order. Redis keeps the
 * last `maxLength` messages of each group, and each process keeps messages that it could not send. If a process has missed
 * more messages than Redis keeps, its groups emit `missed`.
 *
 * Redis must keep its data through a restart (`appendonly yes`). Otherwise groups emit `missed` after each restart.
 *
 * @param client A client of `redis` or `ioredis`. Do not use it for blocking commands such as BLPOP.
 * @throws {TypeError} The value is not such a client.
 * @throws {WebsocketOptionError} An option has a wrong type or value, or an unknown name; or `maxLength` is missing.
 * @example
 * const groups = createGroups({ backplane: redisStreamBackplane(client, { maxLength: 10_000 }) });
 */
export function redisStreamBackplane(client: RedisClient, options: RedisStreamBackplaneOptions): Backplane {
  return new RedisStreamBackplane(client, resolveStreamOptions(options));
}

/** Streams to read at a time: few enough that other commands do not wait long, and replies arrive before the timeout. */
const READERS = 64;
/** Streams to compare in one command. */
const COMPARED = 100;

/** The option `reach` of each tail, in milliseconds. A replica is seldom further behind its master. */
const REACH = 60_000;

/** Milliseconds until a read is retried that Redis has refused because it is not ready. */
const RETRY_DELAY = 250;

class RedisStreamBackplane implements Backplane {
  readonly #settings: StreamSettings;
  readonly #link: RedisLink;
  readonly #outbox: Outbox;
  readonly history: StreamHistory;
  readonly #tails = new Map<string, StreamTail>();
  readonly #readers = new Limiter(READERS);
  #adder: EntryAdder | undefined;
  #events: BackplaneEvents | undefined;
  #cutSince: number | undefined;
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(client: RedisClient, settings: StreamSettings) {
    this.#settings = settings;
    this.#link = new RedisLink({
      client,
      backplane: 'redisStreamBackplane',
      isUnusable: isTemporary,
      ...settings,
    });
    this.history = new StreamHistory(settings, {
      tailOf: (group) => this.#tails.get(group),
      run: (group, command) => {
        const key = this.#link.channelOf(group);
        return this.#readers.run(() => this.#link.run((port) => port.command(key, command(key))));
      },
    });
    this.#outbox = new Outbox({
      maxBuffered: settings.maxBuffered,
      keeps: true,
      oneByOne: this.#link.isCluster,
      canSend: () => this.#link.isReady(),
      post: (command) => this.#link.post(command),
      send: (port, group, data) => {
        const key = this.#link.channelOf(group);
        if (isPeopleChannel(group)) return port.publish(key, data);
        // Whether the history is kept is known only when `createGroups` has begun.
        this.#adder ??= new EntryAdder({
          ...settings,
          isCluster: this.#link.isCluster,
          isTimed: this.history.isKept,
        });
        return this.#adder.add(port, key, data);
      },
      dropped: (group, count, error) => this.#events?.dropped(group, count, error),
    });
  }

  start(events: BackplaneEvents): void {
    this.#link.start({
      message: (group, message) => {
        if (isPeopleChannel(group)) events.message(group, message);
        else this.#tails.get(group)?.take(message, this.#cutFor());
      },
      ready: () => {
        this.#adder?.reset();
        this.#outbox.flush();
      },
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
    if (isPeopleChannel(group)) return this.#link.subscribe(group);
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

  // `async` turns the result into a promise.
  async unsubscribe(group: string): Promise<void> {
    this.#tails.get(group)?.stop();
    this.#tails.delete(group);
    this.#link.unsubscribe(group);
    return Promise.resolve();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    // A script may send and close before the connection exists.
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
      isKept: this.history.isKept,
      stream: {
        after: (position) => ask(readAfter(key, position)),
        from: (id) => ask(readFrom(key, id)) as Promise<StreamPage>,
        readEnd: () => ask(readNothing(key)),
        note: (era) => {
          const maxAge = this.history.isKept ? this.#settings.maxAge : undefined;
          return this.#link.run((port) => port.command(key, noteCommand(key, era, port.isCluster, maxAge)));
        },
      },
      deliver: (data, entry) => {
        const kept = entry === undefined || !this.history.isKept ? undefined : toKept(entry);
        this.#events?.message(group, data, kept);
      },
      missed: (count) => this.#events?.missed(group, count),
      failed: () => this.#catchUpLater(),
    });
  }

  /** Returns the milliseconds since the outage began, or 0. */
  #cutFor(): number {
    return this.#cutSince === undefined ? 0 : now() - this.#cutSince;
  }

  /** Reads all missed messages, and then ends the outage. */
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

  /** Returns the tails whose streams have changed. One command compares many streams, most of which are unchanged. */
  async #findChanged(tails: [string, StreamTail][], cutFor: number): Promise<StreamTail[]> {
    const all = tails.map(([, tail]) => tail);
    // The streams of a cluster are on many nodes. And after a long outage each stream may have expired.
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
    // If the link is down, its event `back` will start the next attempt.
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
