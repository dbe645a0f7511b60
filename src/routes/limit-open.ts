import type { IncomingMessage, ServerResponse } from 'node:http';
import { refuse } from '../handshake/answer.js';
import { isWebsocketUpgrade, refusal } from '../handshake/handshake.js';
import { checkCount, checkEach } from '../options/checks.js';
import { upgradeOf, type Upgrade } from '../server/upgrade.js';
import { argumentError, describe, optionError } from '../shared/errors.js';
import { pathOf, warnOnce } from '../shared/notices.js';
import { isThenable } from '../shared/thenable.js';
import { clientNetworkOf, hasDirectAddress } from './client-network.js';
import { answerFailure, asError, asNext, forwardFailure } from './serve-http.js';
import type { AnyRequest, BaseResponse, Next, WebsocketRoute } from './types.js';

const DEFAULT_RETRY_AFTER = 30;

/** Says whose websockets count together; see {@link limitOpen}. */
export type LimitKey = string | number | bigint | null | undefined;

// As a method, so that an app may declare what its middleware has added to a request.
/** Returns whose websockets count together. `undefined` and `null` do not count. */
export type LimitKeyOf = {
  keyOf(req: AnyRequest, res: BaseResponse): LimitKey | PromiseLike<LimitKey>;
}['keyOf'];

/** Lists the options of {@link limitOpen}. */
export interface LimitOpenOptions {
  /** The number of websockets that may be open at the same time for one key. */
  max: number;
  /**
   * Returns whose websockets count together: a user, a room, a tenant. `undefined` and `null` do not count. May return a
   * promise.
   *
   * @default the address of the client: `req.ip` in Express, otherwise that of the connection; of IPv6 the first 64 bits
   */
  by?: LimitKeyOf | undefined;
  /**
   * Sets the header `Retry-After` of the refusal, in seconds.
   *
   * @default 30
   */
  retryAfter?: number | undefined;
}

/**
 * Returns a middleware that limits the open websockets of each client, user, or other key. Put it before the wrapper, in one
 * route or in `app.use`. All routes behind one such middleware count together.
 *
 * A handshake above the limit gets 429 with `Retry-After`. A handshake counts from here on, until it is refused or its
 * connection has closed. Plain HTTP requests do not count. Each process counts for itself.
 *
 * If `by` throws, rejects or returns something else, the app's error handlers get the error.
 *
 * @throws {WebsocketOptionError} An option is missing, wrong or unknown.
 * @example
 * app.use(limitOpen({ max: 50 }));
 * app.get('/chat', mustLogIn, limitOpen({ max: 5, by: (req) => req.user.id }), requireWebsocket(chat));
 */
export function limitOpen(options: LimitOpenOptions): WebsocketRoute {
  const given = checkEach(options, { max: checkCount, by: checkBy, retryAfter: checkCount });
  // It has no default, so it must be given.
  checkCount(given['max'], 'max');
  const limiter = new Limiter(options);
  return (req, res, next) => {
    const upgrade = isWebsocketUpgrade(req) ? upgradeOf(req) : undefined;
    // A client that has left has no address, and nothing to count.
    if (upgrade?.state === 'pending') limiter.judge(upgrade, res, asNext(next));
    else asNext(next)?.();
  };
}

class Limiter {
  readonly #max: number;
  readonly #by: ((req: never, res: never) => unknown) | undefined;
  readonly #retryAfter: number;
  /** The number of open websockets and pending handshakes for each key that has any. */
  readonly #open = new Map<unknown, number>();
  /** What counts. An app may use the same middleware twice, for all routes and for one, but a request counts once. */
  readonly #counted = new Set<Upgrade>();

  constructor({ max, by, retryAfter = DEFAULT_RETRY_AFTER }: LimitOpenOptions) {
    this.#max = max;
    this.#by = by;
    this.#retryAfter = retryAfter;
  }

  /** Refuses a handshake, or counts it and calls `next`. */
  judge(upgrade: Upgrade, res: ServerResponse, next: Next | undefined): void {
    const { req } = upgrade;
    const fail = (error: unknown): void => {
      if (next === undefined) answerFailure(this, error, res);
      else next(asError(error));
    };
    let key: unknown;
    try {
      key = this.#by === undefined ? this.#addressOf(req) : this.#by(req as never, res as never);
    } catch (error) {
      fail(error);
      return;
    }
    const admit = (key: unknown): void => {
      if (!isKey(key)) {
        fail(keyError(key));
        return;
      }
      if (this.#admit(upgrade, key)) {
        next?.();
        return;
      }
      try {
        this.#refuse(req, res);
      } catch (error) {
        // A hook of a middleware has thrown. After a promise of `by`, this would end the process.
        fail(error);
      }
    };
    if (isThenable(key))
      void Promise.resolve(key)
        .then(admit)
        .catch((error: unknown) => {
          forwardFailure(this, asError(error), res, next);
        });
    else admit(key);
  }

  /** Counts a handshake, unless that would exceed the limit. Returns whether the handshake may go on. */
  #admit(upgrade: Upgrade, key: LimitKey): boolean {
    // While `by` was pending, the client may have disconnected.
    if (key === undefined || key === null || upgrade.state !== 'pending' || this.#counted.has(upgrade))
      return true;
    const count = this.#open.get(key) ?? 0;
    if (count >= this.#max) return false;
    this.#counted.add(upgrade);
    this.#open.set(key, count + 1);
    this.#releaseAfter(upgrade, key);
    return true;
  }

  /** Releases the place of a handshake that fails, or of its websocket when the connection has closed. */
  #releaseAfter(upgrade: Upgrade, key: LimitKey): void {
    const release = (): void => {
      if (!this.#counted.delete(upgrade)) return;
      const left = (this.#open.get(key) ?? 1) - 1;
      if (left > 0) this.#open.set(key, left);
      else this.#open.delete(key);
    };
    // Each upgrade request has a connection of its own, which closes with the websocket, or soon after another answer. The
    // response is no sign: it ends at `res.end()`, while the client may not have answered the close frame.
    upgrade.req.socket.once('close', release);
    void upgrade.settled().then(() => {
      if (upgrade.state !== 'accepted') release();
    });
  }

  #refuse(req: IncomingMessage, res: ServerResponse): void {
    if (this.#by === undefined) this.#warnOfProxy(req);
    const headers = { 'Retry-After': String(this.#retryAfter) };
    // With `by`, a key may stand for many clients, such as those of a room.
    const owner = this.#by === undefined ? 'this client' : 'all who share this limit';
    refuse(req, res, refusal(429, tooManyOpen(owner, this.#max), headers));
  }

  #addressOf(req: IncomingMessage): string | undefined {
    const network = clientNetworkOf(req);
    if (network === undefined) {
      warnOnce(
        this,
        'WEBSOCKET_LIMIT_ADDRESS',
        `${pathOf(req)}: limitOpen does not count a client whose address is unknown; behind a proxy, call ` +
          "app.set('trust proxy', …), or pass the option by",
      );
    }
    return network;
  }

  #warnOfProxy(req: IncomingMessage): void {
    if (req.headers['x-forwarded-for'] === undefined || !hasDirectAddress(req)) return;
    warnOnce(
      this,
      'WEBSOCKET_LIMIT_PROXY',
      `${pathOf(req)}: limitOpen has refused a client with 429, by the address ${String(req.socket.remoteAddress)}. If a ` +
        "proxy of yours is there, all its clients count as one: call app.set('trust proxy', …) with its address, or pass " +
        'the option by. Otherwise ignore this: a client has sent the header X-Forwarded-For itself',
    );
  }
}

function tooManyOpen(owner: string, max: number): string {
  const websockets = max === 1 ? '1 websocket' : `${String(max)} websockets`;
  return `${owner} may have ${websockets} open at the same time; close one, or try again later`;
}

function isKey(key: unknown): key is LimitKey {
  return key === null || ['string', 'number', 'bigint', 'undefined'].includes(typeof key);
}

function keyError(key: unknown): Error {
  return argumentError(
    TypeError,
    `the function given to limitOpen as by must return a string, a number, or undefined for no limit; got ${describe(key)}; ` +
      'for an id of MongoDB, return String(id)',
  );
}

function checkBy(value: unknown, name: string): void {
  if (typeof value !== 'function') throw optionError(TypeError, name, 'a function (req, res) => key', value);
}
