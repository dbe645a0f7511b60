import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { checkHandler } from '../options/checks.js';
import type { MessageKind, WebsocketOptions } from '../options/options.js';
import type { Marked } from '../routes/request.js';
import type { AnyHandler } from '../routes/serve-http.js';
import type {
  AcceptWebsocketRequest,
  BaseResponse,
  Next,
  RequireWebsocketRequest,
  RouteQuery,
} from '../routes/types.js';
import { acceptWebsocket } from '../routes/wrappers.js';
import type { CloseInfo, Websocket } from '../websocket/websocket.js';
import { resolveConnectOptions } from './client-options.js';
import { LazyPromise, within } from './deadline.js';
import { findWay } from './dial.js';
import { dress } from './dress.js';
import { at, captureSite, WebsocketExpectationError } from './errors.js';
import { openClient, openedOf, type TestClient } from './test-client.js';

/** What the request of {@link runHandler} is made of. Whatever else is given is put on it as it is. */
export interface HandlerFields<Req = unknown> {
  /** @default {} */
  params?: (Req extends { params: infer Params } ? Params : Record<string, string>) | undefined;
  /** @default that of `url`, as the default parser of Express 5 gives it: strings, and lists where a name comes again */
  query?: (Req extends { query: infer Query } ? Partial<Query> : RouteQuery) | undefined;
  /** What the client sends along, such as `{ cookie, authorization }`. */
  headers?: OutgoingHttpHeaders | undefined;
  /** @default '/' */
  url?: string | undefined;
  session?: unknown;
  user?: unknown;
  /**
   * `res.locals`.
   *
   * @default {}
   */
  locals?: Record<string, unknown> | undefined;
  [field: string]: unknown;
}

/** Options of {@link runHandler}: those that its route would give to the wrapper, and the client's deadline. */
export interface RunHandlerOptions<Kind extends MessageKind = MessageKind> extends WebsocketOptions<Kind> {
  /**
   * Milliseconds for `ended`, and for each wait of the client that is given no time of its own.
   *
   * @default 1_000
   */
  deadline?: number | undefined;
}

/** How a handler has ended, and with what its websocket closed. */
export interface HandlerEnd extends CloseInfo {
  /** `passed on`: it has called `next()`; `next(error)` counts as thrown. */
  readonly outcome: 'returned' | 'threw' | 'passed on';
  /** What it returned, or its promise gave. */
  readonly value: unknown;
  /** What it threw, or its promise rejected with. */
  readonly error: unknown;
}

/** What {@link runHandler} gives. */
export interface RunningHandler {
  /** The other end of the handler's websocket. */
  readonly client: TestClient;
  /**
   * Resolves when the handler has ended and its websocket has closed; it never rejects for what the handler does.
   *
   * @throws {WebsocketExpectationError} (as a rejection) It has not when somebody has waited for the deadline.
   * @throws {WebsocketHandshakeError} (as a rejection) The handler did not begin, since `options` refuse the handshake.
   */
  readonly ended: Promise<HandlerEnd>;
}

interface Outcome extends Pick<HandlerEnd, 'outcome' | 'value' | 'error'> {
  readonly websocket: Websocket;
}

/**
 * Runs a handler of `acceptWebsocket` or `requireWebsocket` alone, without its app: on a request that is made of a few
 * fields, and with a client at the other end. The client can be used at once.
 *
 * @param handler The handler itself, and not what a wrapper has made of it.
 * @throws {TypeError} `handler` is no function.
 * @throws {WebsocketOptionError} An option that cannot be.
 * @example
 * const { client, ended } = runHandler(chat, { params: { room: 'a' }, session: { name: 'Ada' } });
 * expect(await client.wait()).toBe('Ada is here');
 * await client.close();
 * expect(await ended).toMatchObject({ outcome: 'returned', code: 1000 });
 */
export function runHandler<Req extends IncomingMessage = RequireWebsocketRequest>(
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- whichever response its author has named
  handler: (req: Req, res: any, next: Next) => unknown,
  fields: HandlerFields<Req> = {},
  options: RunHandlerOptions = {},
): RunningHandler {
  const site = captureSite();
  checkHandler(handler, 'runHandler');
  const { headers, url = '/', ...rest } = fields;
  const { deadline, ...routeOptions } = options;
  const offered = typeof routeOptions.protocols === 'function' ? undefined : routeOptions.protocols;
  const settings = resolveConnectOptions({ deadline, headers, protocols: offered });
  const { observed, outcome } = observe(handler, rest);
  const route = acceptWebsocket(observed, { origins: 'any', ...routeOptions });
  const app = (req: IncomingMessage, res: ServerResponse): void => {
    // Behind it comes nobody: the next handler is over at once.
    route(req, res, () => void (req as Marked).websocket?.close());
  };
  const client = openClient(findWay(app, url), settings, site);
  const end = waitForEnd(client, outcome);
  // For those who do not ask for it: a refused handshake is told by the client, too.
  end.catch(() => undefined);
  const ended = new LazyPromise(() =>
    within(end, settings.deadline, () => at(site, explain(client, settings.deadline))),
  );
  return { client, ended };
}

async function waitForEnd(client: TestClient, outcome: Promise<Outcome>): Promise<HandlerEnd> {
  await openedOf(client);
  const { websocket, ...how } = await outcome;
  return { ...how, ...(await websocket.closed) };
}

function explain(client: TestClient, deadline: number): WebsocketExpectationError {
  return new WebsocketExpectationError(
    `the handler to end within ${String(deadline)} ms`,
    client.isClosed()
      ? 'its websocket has closed, and it still runs'
      : 'it still runs, and its websocket is open',
  );
}

/** The handler on a request with these fields, and what becomes of it. */
function observe(handler: AnyHandler, fields: Record<string, unknown>) {
  let settle!: (outcome: Outcome) => void;
  const outcome = new Promise<Outcome>((resolve) => (settle = resolve));
  const observed = async (req: AcceptWebsocketRequest, res: BaseResponse, next: Next): Promise<void> => {
    const websocket = req.websocket as Websocket;
    const end = (how: HandlerEnd['outcome'], value: unknown, error: unknown): void => {
      settle({ websocket, outcome: how, value, error });
    };
    dress(req as IncomingMessage, res as ServerResponse, fields);
    const passOn: Next = (error: unknown) => {
      end(error === undefined ? 'passed on' : 'threw', undefined, error);
      next(error);
    };
    try {
      end('returned', await handler(req as never, res as never, passOn), undefined);
    } catch (error) {
      end('threw', undefined, error);
      throw error;
    }
  };
  return { observed, outcome };
}
