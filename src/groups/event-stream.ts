import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { responseOn } from '../internals/node.js';
import { checkCount, checkEach, checkTime, type Check } from '../options/checks.js';
import { DEFAULT_CLOSE_TIMEOUT } from '../options/policy.js';
import { argumentError, describe } from '../shared/errors.js';
import { falseLater, trueLater } from '../shared/later.js';
import { debug, pathOf } from '../shared/notices.js';
import { clearTimeout, nextTick, setTimeout } from '../shared/real-timers.js';
import { addStream } from '../server/open-streams.js';
import type { Member } from './member.js';

/** Lists the options of {@link eventStream}. */
export interface EventStreamOptions {
  /**
   * Gives the id of the last event that the client has had, if its request does not say so. The header `Last-Event-ID` wins: a
   * browser sends it when it reconnects, with the URL of the first time.
   *
   * @default the parameter `since` of the URL
   */
  since?: unknown;
  /**
   * Sends a comment when nothing was sent for this many milliseconds, so that no proxy closes the connection. `false` turns it
   * off.
   *
   * @default 25_000
   */
  heartbeat?: number | false | undefined;
  /**
   * Limits the buffered bytes beyond which `send()` waits.
   *
   * @default 65_536 (64 KiB)
   */
  highWaterMark?: number | undefined;
  /**
   * Limits the bytes that are buffered for a client that does not read. Beyond it the connection ends. The browser then
   * reconnects. Each event counts as its bytes and 64 more.
   *
   * @default 16_777_216 (16 MiB)
   */
  maxBuffered?: number | undefined;
}

/** Sends messages to a client as server-sent events. A member of groups. */
export interface EventStream extends Member {
  /**
   * Sends a message as an event: a text as one of type `message`, bytes in base64 as one of type `binary`. A line break in a text
   * reaches the client as `\n`.
   *
   * Resolves with `true` when you may send the next message, and with `false` when the response has ended. Never rejects.
   */
  send(
    message: string | Buffer,
    options?: { binary?: boolean; id?: string; latest?: string },
  ): PromiseLike<boolean>;
  /** Resolves when the connection has closed, or the response has ended. */
  readonly closed: Promise<void>;
  isClosed(): boolean;
  /**
   * Sends an event of type `close` with the data `{ "code", "reason" }`, and ends the response. A browser reconnects, unless the
   * page calls `close()` of its `EventSource`.
   */
  close(code?: number, reason?: string): Promise<void>;
}

/**
 * Starts a response of server-sent events, for clients without WebSocket. Add it to a group, like a websocket.
 *
 * It ends with the request, with `closeWebsockets` and with `server.close()`. In a group with a history, each event has its id.
 * So a browser that reconnects gets what it has missed.
 *
 * The stream is closed from the start if the client has left, or if the response must wait for an earlier one, because the client
 * pipelines requests. Then no group adds it.
 *
 * @throws {WebsocketArgumentError} `res` is no response, or its headers are sent already.
 * @throws {WebsocketOptionError} An option has a wrong type or value, or an unknown name.
 * @example
 * app.get('/chat/:room/events', (req, res) => {
 *   groups.group(req.params.room).add(eventStream(req, res), { last: 20 });
 * });
 */
export function eventStream(
  req: IncomingMessage,
  res: ServerResponse,
  options: EventStreamOptions = {},
): EventStream {
  const given = checkEach(options, CHECKS) as Partial<Settings> & { since?: unknown };
  const { since, ...settings } = given;
  checkResponse(res);
  return new ResponseStream(req, res, { ...DEFAULTS, ...settings }, sinceOf(req) ?? since ?? queryOf(req));
}

interface Settings {
  readonly heartbeat: number | false;
  readonly highWaterMark: number;
  readonly maxBuffered: number;
}

const DEFAULTS: Settings = { heartbeat: 25_000, highWaterMark: 2 ** 16, maxBuffered: 2 ** 24 };

const checkHeartbeat: Check = (value, name) => {
  if (value !== false) checkTime(value, name);
};
const CHECKS = {
  since: () => {},
  heartbeat: checkHeartbeat,
  highWaterMark: checkCount,
  maxBuffered: checkCount,
};

/** The memory in bytes of a pending event in addition to its text. */
const EVENT_BYTES = 64;

class ResponseStream implements EventStream {
  readonly since: unknown;
  readonly closed: Promise<void>;
  readonly #res: ServerResponse;
  readonly #settings: Settings;
  /** What is not written yet: the events of this turn, and all that come while the client does not read. */
  #pending = '';
  #pendingBytes = 0;
  /** Pending events of which only the newest one for each name matters. */
  #held: Map<string, string> | undefined;
  #isScheduled = false;
  #isBlocked = false;
  #isClosing = false;
  #heartbeat: NodeJS.Timeout | undefined;
  #drain: { promise: Promise<boolean>; resolve: (sent: boolean) => void } | undefined;

  constructor(req: IncomingMessage, res: ServerResponse, settings: Settings, since: unknown) {
    this.since = since;
    this.#res = res;
    this.#settings = settings;
    if (cannotBegin(req, res)) {
      // 'close' may never come.
      this.#isClosing = true;
      this.closed = Promise.resolve();
      return;
    }
    this.closed = new Promise((resolve) => {
      const remove = addStream(req, this);
      res.once('close', () => {
        this.#end();
        remove();
        resolve();
      });
    });
    // A connection that the client has reset. 'close' follows.
    res.on('error', () => {});
    res.on('drain', () => {
      this.#isBlocked = false;
      this.#write();
    });
    setHeaders(res);
    res.flushHeaders();
    if (req.method === 'HEAD') res.end();
    if (settings.heartbeat !== false && req.method !== 'HEAD') this.#startHeartbeat(settings.heartbeat);
    debug('%s: sends events', pathOf(req));
  }

  send(
    message: string | Buffer,
    { binary, id, latest }: { binary?: boolean; id?: string; latest?: string } = {},
  ): PromiseLike<boolean> {
    if (this.isClosed()) return falseLater();
    const text = formatEvent(message, binary ?? typeof message !== 'string', id);
    const isBehind = this.#held !== undefined || this.#buffered > this.#settings.highWaterMark;
    if (latest !== undefined && isBehind) return this.#add(text, latest);
    // Ids only grow: the id of the last event says what a client has had.
    if (id !== undefined) this.#releaseHeld();
    return this.#add(text);
  }

  begin(position: string): void {
    // An event without data changes only the id with which the browser comes back.
    if (!this.isClosed()) void this.#add(`id: ${position}\n\n`);
  }

  isClosed(): boolean {
    return this.#isClosing || this.#res.writableEnded || isGone(this.#res);
  }

  /** @param timeout The milliseconds in which the client must read the rest. The shortest of several calls applies. */
  close(code = 1000, reason = '', timeout = DEFAULT_CLOSE_TIMEOUT): Promise<void> {
    const res = this.#res;
    if (!this.isClosed()) this.#sendClose(code, reason);
    // A client that does not read never gets it all.
    const timer = setTimeout(() => res.destroy(), timeout).unref();
    return this.closed.finally(() => {
      clearTimeout(timer);
    });
  }

  #sendClose(code: number, reason: string): void {
    const pending = this.#takePending();
    this.#isClosing = true;
    const res = this.#res;
    const { socket } = res;
    // Not a callback of `end`: a middleware may call it too early, as express-session does.
    res.once('finish', () => {
      // An idle connection would delay the end of `server.close()`.
      if (res.req.httpVersionMajor === 1) socket?.destroySoon();
    });
    try {
      res.end(`${pending}event: close\ndata: ${JSON.stringify({ code, reason })}\n\n`);
    } catch (error) {
      // The `end` of a middleware has thrown.
      debug('%s: the events are cut off, because res.end() failed: %o', pathOf(res.req), error);
      res.destroy();
    }
  }

  /** @param latest The name of an event that replaces a pending one with the same name. */
  #add(text: string, latest?: string): PromiseLike<boolean> {
    const { highWaterMark, maxBuffered } = this.#settings;
    // A single event may be larger than the limit.
    if (this.#buffered > maxBuffered) {
      debug('terminated: %d bytes are buffered, more than maxBuffered (%d)', this.#buffered, maxBuffered);
      this.#res.destroy();
      return falseLater();
    }
    this.#pendingBytes += costOf(text);
    if (latest === undefined) this.#pending += text;
    else this.#hold(latest, text);
    if (!this.#isScheduled && !this.#isBlocked) {
      this.#isScheduled = true;
      nextTick(() => {
        this.#isScheduled = false;
        this.#write();
      });
    }
    if (this.#buffered <= highWaterMark) return trueLater();
    if (this.#drain === undefined) {
      let resolve!: (sent: boolean) => void;
      const promise = new Promise<boolean>((settle) => (resolve = settle));
      this.#drain = { promise, resolve };
    }
    return this.#drain.promise;
  }

  #hold(latest: string, text: string): void {
    const held = (this.#held ??= new Map<string, string>());
    const before = held.get(latest);
    if (before !== undefined) this.#pendingBytes -= costOf(before);
    held.delete(latest);
    held.set(latest, text);
  }

  #releaseHeld(): void {
    if (this.#held === undefined) return;
    this.#pending += [...this.#held.values()].join('');
    this.#held = undefined;
  }

  /** Removes and returns everything that is not written yet. */
  #takePending(): string {
    this.#releaseHeld();
    const text = this.#pending;
    this.#pending = '';
    this.#pendingBytes = 0;
    return text;
  }

  get #buffered(): number {
    return this.#pendingBytes + this.#res.writableLength;
  }

  #write(): void {
    if (this.#isBlocked || this.isClosed()) return;
    const text = this.#takePending();
    if (text !== '') {
      this.#isBlocked = !this.#writeNow(text);
      this.#heartbeat?.refresh();
    }
    if (!this.#isBlocked) this.#resolveDrain(true);
  }

  /** Returns whether the client keeps up. */
  #writeNow(text: string): boolean {
    const res = this.#res;
    try {
      return res.write(text);
    } catch (error) {
      // The `write` of a middleware has thrown. No caller could catch this.
      debug('%s: the events are cut off, because res.write() failed: %o', pathOf(res.req), error);
      res.destroy();
      return false;
    }
  }

  #startHeartbeat(pause: number): void {
    this.#heartbeat = setTimeout(() => {
      // A client that does not read needs no more to read.
      if (!this.#isBlocked && !this.isClosed()) this.#writeNow(':\n\n');
      this.#heartbeat?.refresh();
    }, pause).unref();
  }

  #end(): void {
    this.#isClosing = true;
    clearTimeout(this.#heartbeat);
    this.#heartbeat = undefined;
    this.#takePending();
    this.#resolveDrain(false);
  }

  #resolveDrain(sent: boolean): void {
    this.#drain?.resolve(sent);
    this.#drain = undefined;
  }
}

function costOf(text: string): number {
  return Buffer.byteLength(text) + EVENT_BYTES;
}

function formatEvent(message: string | Buffer, binary: boolean, id: string | undefined): string {
  const idLine = id === undefined ? '' : `id: ${id}\n`;
  if (binary) return `${idLine}event: binary\ndata: ${Buffer.from(message).toString('base64')}\n\n`;
  return `${idLine}data: ${message.toString().replace(/\r\n|\r|\n/g, '\ndata: ')}\n\n`;
}

function sinceOf(req: IncomingMessage): string | undefined {
  const id = req.headers['last-event-id'];
  return typeof id === 'string' && id !== '' ? id : undefined;
}

function queryOf(req: IncomingMessage): string | undefined {
  const query = /\?([^#]*)/.exec(req.url ?? '')?.[1];
  return query === undefined ? undefined : (new URLSearchParams(query).get('since') ?? undefined);
}

function setHeaders(res: ServerResponse): void {
  res.setHeader('Content-Type', 'text/event-stream; charset=utf-8');
  // Compression would hold events back, and so would the buffer of nginx.
  res.setHeader('Cache-Control', 'no-cache, no-transform');
  res.setHeader('X-Accel-Buffering', 'no');
}

/** Returns whether no event can reach the client. Ends a response that waits for an earlier one. */
function cannotBegin(req: IncomingMessage, res: ServerResponse): boolean {
  if (isGone(res) || req.socket.destroyed) {
    debug('%s: sends no events, because the client has left', pathOf(req));
    return true;
  }
  // A client may pipeline requests (RFC 9112, 9.3.2). Node would buffer the events of each, and emits no 'close' on those
  // that wait. An `EventSource` reconnects after an empty response.
  if (res.socket !== null || responseOn(req.socket) === undefined) return false;
  debug('%s: sends no events, because the response waits for an earlier one', pathOf(req));
  setHeaders(res);
  res.end();
  return true;
}

/** Returns whether a response has lost its connection. Responses of HTTP/2 have a stream, and no field `destroyed`. */
function isGone(res: ServerResponse & { readonly stream?: Duplex }): boolean {
  return (res.stream ?? res).destroyed;
}

function checkResponse(res: unknown): void {
  const { setHeader, flushHeaders, headersSent } = (res ?? {}) as Partial<ServerResponse>;
  if (typeof setHeader !== 'function' || typeof flushHeaders !== 'function')
    throw argumentError(TypeError, `eventStream() takes (req, res); got ${describe(res)} as res`);
  if (headersSent === true)
    throw argumentError(
      TypeError,
      'eventStream() must be called before the response begins; its headers are sent already',
    );
}
