import { checkNames, checkTime } from '../options/checks.js';
import { DEFAULT_CLOSE_TIMEOUT } from '../options/policy.js';
import { CloseCode } from '../shared/close-codes.js';
import { debug } from '../shared/notices.js';
import { clearTimeout, setTimeout } from '../shared/real-timers.js';
import { checkClose } from '../websocket/arguments.js';
import { closeWithin, terminateWebsocket } from '../websocket/operations.js';
import type { Websocket } from '../websocket/websocket.js';
import { checkServer, stateOf, type Server } from './server-state.js';

/** Options of {@link closeWebsockets}. */
export interface CloseWebsocketsOptions {
  /**
   * The close code that the clients see.
   *
   * @default 1001 (going away)
   */
  code?: number | undefined;
  /**
   * The close reason, at most 123 bytes.
   *
   * @default ''
   */
  reason?: string | undefined;
  /**
   * Milliseconds that the clients have to answer, whatever their routes say; then their connections are cut. One that
   * was closing already has no longer than its route gives it.
   *
   * @default the `closeTimeout` of each route; 5_000 for requests that wait for an answer of the app
   */
  timeout?: number | undefined;
}

/**
 * The open websockets of a server: a live set; a websocket leaves it when it has ended. Each knows its `request`.
 *
 * @throws {TypeError} `server` is no server.
 */
export function openWebsockets(server: Server): ReadonlySet<Websocket> {
  checkServer(server, 'openWebsockets');
  return stateOf(server).open;
}

/**
 * Closes all websockets of a server and leaves the server itself as it is.
 *
 * What was sent before goes out first. While it is under way new upgrade requests get 503; those that wait for an
 * answer of the app have until `timeout`. An upgrade request that the app answers over plain HTTP is left to the app, as
 * `server.close()` leaves any response: only `server.closeAllConnections()` cuts it. Resolves when all websockets have
 * ended, whether their handlers have or not; never rejects.
 *
 * @throws {WebsocketOptionError | RangeError} An option that cannot be.
 * @throws {TypeError} `server` is no server.
 */
export function closeWebsockets(server: Server, options: CloseWebsocketsOptions = {}): Promise<void> {
  checkServer(server, 'closeWebsockets');
  checkNames(options, ['code', 'reason', 'timeout']);
  const { code = CloseCode.goingAway, reason = '', timeout } = options;
  checkClose(code, reason);
  if (timeout !== undefined) checkTime(timeout, 'timeout');
  return drain(server, code, reason, timeout);
}

async function drain(server: Server, code: number, reason: string, timeout?: number): Promise<void> {
  const state = stateOf(server);
  debug('closing %d websockets with %d, %d requests undecided', state.open.size, code, state.pending.size);
  state.draining++;
  const timer = setTimeout(() => {
    if (timeout !== undefined) for (const websocket of state.open) terminateWebsocket(websocket);
    for (const upgrade of state.pending) upgrade.abandon('the server is shutting down');
  }, timeout ?? DEFAULT_CLOSE_TIMEOUT).unref();
  const ended: PromiseLike<unknown>[] = [];
  for (const websocket of state.open) {
    ended.push(
      timeout === undefined ? websocket.close(code, reason) : closeWithin(websocket, timeout, code, reason),
    );
  }
  for (const upgrade of state.pending) ended.push(upgrade.settled());
  try {
    await Promise.all(ended);
  } finally {
    clearTimeout(timer);
    state.draining--;
  }
}
