import { checkNames, checkTime } from '../options/checks.js';
import { DEFAULT_CLOSE_TIMEOUT } from '../options/policy.js';
import { CloseCode } from '../shared/close-codes.js';
import { debug } from '../shared/notices.js';
import { clearTimeout, MAX_DELAY, setTimeout } from '../shared/real-timers.js';
import { checkClose } from '../websocket/arguments.js';
import { closeWithin, terminateWebsocket } from '../websocket/operations.js';
import type { Websocket } from '../websocket/websocket.js';
import { checkServer, stateOf, type AnyServer, type Server } from './server-state.js';
import { attempt, spread } from './spread.js';

/** Lists the options of {@link closeWebsockets}. */
export interface CloseWebsocketsOptions {
  /**
   * Sets the close code that the clients receive.
   *
   * @default 1001 (going away)
   */
  code?: number | undefined;
  /**
   * Sets the close reason, at most 123 bytes.
   *
   * @default ''
   */
  reason?: string | undefined;
  /**
   * Limits, in milliseconds, how long the clients may take to answer the close frame. Then their connections are destroyed.
   * This limit replaces the `closeTimeout` of all routes. A websocket that is closing already keeps its own deadline if that
   * is earlier. With `over`, the time of each client begins when its websocket begins to close. The client of an event stream
   * of groups must have read everything in this time.
   *
   * @default the `closeTimeout` of each route; 5_000 for event streams, and for upgrade requests that the app has not answered
   *   yet
   */
  timeout?: number | undefined;
  /**
   * Spreads the closes evenly over this many milliseconds, in random order, so that the clients do not all reconnect at the
   * same moment. Event streams of groups are spread, too. Until its turn, a websocket works as before.
   *
   * @default none: all close at once
   */
  over?: number | undefined;
}

/**
 * Returns the open websockets of a server. The set is live: a websocket leaves it when its connection has ended. Each
 * websocket has its `request`.
 *
 * @throws {TypeError} `server` is not a server.
 */
export function openWebsockets(server: AnyServer): ReadonlySet<Websocket> {
  checkServer(server, 'openWebsockets');
  return stateOf(server).open;
}

/**
 * Closes all websockets of a server. The server itself stays open.
 *
 * Clients receive all earlier messages first. Until the promise resolves, new upgrade requests get 503. The app has until
 * `timeout` to answer pending upgrade requests. If the app has begun a plain HTTP response to an upgrade request, it may
 * finish the response, as after `server.close()`; only `server.closeAllConnections()` destroys its connection. Resolves
 * when all websockets have ended, with `over` also before its time has passed; handlers may still run. Never rejects.
 *
 * A further call, or `server.close()`, closes what is still open by its own options: without `over`, at once.
 *
 * @throws {WebsocketOptionError | RangeError} An option is wrong or unknown.
 * @throws {TypeError} `server` is not a server.
 */
export function closeWebsockets(server: AnyServer, options: CloseWebsocketsOptions = {}): Promise<void> {
  checkServer(server, 'closeWebsockets');
  checkNames(options, ['code', 'reason', 'timeout', 'over']);
  const { code = CloseCode.goingAway, reason = '', timeout, over } = options;
  checkClose(code, reason);
  if (timeout !== undefined) checkTime(timeout, 'timeout');
  if (over !== undefined) checkTime(over, 'over');
  return drain(server, { code, reason, timeout, over });
}

type Drain = CloseWebsocketsOptions & { code: number; reason: string };

async function drain(server: Server, { code, reason, timeout, over }: Drain): Promise<void> {
  const state = stateOf(server);
  debug(
    'closing %d websockets with %d, %d upgrade requests pending',
    state.open.size,
    code,
    state.pending.size,
  );
  let abandonTimer: NodeJS.Timeout | undefined;
  let terminateTimer: NodeJS.Timeout | undefined;
  let cancelCloses: (() => void) | undefined;
  state.draining++;
  try {
    state.attachment?.retire?.();
    const ended: PromiseLike<unknown>[] = [];
    const closes: (() => unknown)[] = [];
    for (const websocket of state.open) {
      ended.push(websocket.closed);
      closes.push(() =>
        timeout === undefined ? websocket.close(code, reason) : closeWithin(websocket, timeout, code, reason),
      );
    }
    for (const stream of state.streams) {
      ended.push(stream.closed);
      closes.push(() => stream.close(code, reason, timeout));
    }
    for (const upgrade of state.pending) ended.push(upgrade.settled());
    abandonTimer = setTimeout(() => {
      for (const upgrade of state.pending) upgrade.abandon('the server is shutting down');
    }, timeout ?? DEFAULT_CLOSE_TIMEOUT).unref();
    if (timeout !== undefined) {
      const terminateAll = (): void => {
        for (const websocket of state.open) terminateWebsocket(websocket);
      };
      terminateTimer = setTimeout(terminateAll, Math.min(timeout + (over ?? 0), MAX_DELAY)).unref();
    }
    if (over === undefined) closes.forEach(attempt);
    else cancelCloses = spread(closes, over);
    await Promise.all(ended);
  } finally {
    cancelCloses?.();
    clearTimeout(abandonTimer);
    clearTimeout(terminateTimer);
    state.draining--;
  }
}
