import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { checkHandler } from '../options/checks.js';
import type { AnyOptions, Message, MessageFormat, MessageKind } from '../options/options.js';
import { isMessageKind } from '../options/policy.js';
import type { Marked } from '../routes/request.js';
import type { AnyHandler } from '../routes/serve-http.js';
import type {
  AcceptWebsocketRequest,
  BaseResponse,
  Next,
  RequireWebsocketRequest,
  RouteParams,
  RouteQuery,
} from '../routes/types.js';
import type { ReceivedMessage, SendableMessage, WebsocketOptions } from '../routes/websocket-options.js';
import { wrapAccepting } from '../routes/wrappers.js';
import type { SchemaInput, SchemaOutput, StandardSchema } from '../shared/standard-schema.js';
import type { ValueFormat } from '../values/codec.js';
import type { Data } from '../websocket/frame.js';
import type { CloseInfo } from '../websocket/close-info.js';
import type { Websocket } from '../websocket/websocket.js';
import { resolveConnectOptions } from './client-options.js';
import { LazyPromise, within } from './deadline.js';
import { withCallSite, captureCallSite, WebsocketExpectationError } from './errors.js';
import { addRequestFields } from './request-fields.js';
import { resolveTarget } from './target.js';
import { openClient, whenOpened, type TestClient } from './test-client.js';

/** Lists the fields of the request for {@link runHandler}. Any other field is set on the request unchanged. */
export interface HandlerFields<Req = unknown> {
  /** @default {} */
  params?: (Req extends { params: infer Params } ? Params : Record<string, string>) | undefined;
  /** @default the query of `url`, as Express 5 parses it by default: strings, and lists for repeated names */
  query?: (Req extends { query: infer Query } ? Partial<Query> : RouteQuery) | undefined;
  /** Sets headers of the handshake, such as `{ cookie, authorization }`. */
  headers?: OutgoingHttpHeaders | undefined;
  /** @default '/' */
  url?: string | undefined;
  session?: unknown;
  user?: unknown;
  /**
   * Sets `res.locals`.
   *
   * @default {}
   */
  locals?: Record<string, unknown> | undefined;
  [field: string]: unknown;
}

/** Lists the options of {@link runHandler}: the options of the route, and the deadline of the client. */
export interface RunHandlerOptions<
  Format extends MessageFormat = MessageKind,
  Sends extends StandardSchema = StandardSchema,
> extends WebsocketOptions<Format, Sends> {
  /**
   * Limits the milliseconds of `ended`, and of each wait of the client without its own timeout.
   *
   * @default 1_000
   */
  deadline?: number | undefined;
}

/** Describes how a handler and its websocket have ended. */
export interface HandlerEnd extends CloseInfo {
  /** How the handler ended. `passed on` means that it called `next()`; `next(error)` counts as `threw`. */
  readonly outcome: 'returned' | 'threw' | 'passed on';
  /** The value that the handler returned, or that its promise resolved with. */
  readonly value: unknown;
  /** The error that the handler threw, or that its promise rejected with. */
  readonly error: unknown;
}

/** Holds the result of {@link runHandler}. */
export interface RunningHandler<M = Message, Out = Data> {
  /**
   * The other end of the handler's websocket. If the messages of the handler are values, those of the client are, too: it
   * receives what the option `sends` describes, and sends what the option `messages` describes, without a check.
   */
  readonly client: TestClient<M, Out>;
  /**
   * Resolves when the handler has ended and its websocket has closed. An error of the handler does not reject it.
   *
   * @throws {WebsocketExpectationError} (as a rejection) The handler still ran at the deadline. The time starts when you
   * await the promise.
   * @throws {WebsocketHandshakeError} (as a rejection) `options` refused the handshake, so the handler did not run.
   */
  readonly ended: Promise<HandlerEnd>;
}

interface Outcome extends Pick<HandlerEnd, 'outcome' | 'value' | 'error'> {
  readonly websocket: Websocket;
}

/**
 * Runs a handler of `acceptWebsocket` or `requireWebsocket` without its app. The request has the given fields, and a client
 * is connected to the handler. You can use the client at once.
 *
 * @param handler The handler itself, and not the result of a wrapper.
 * @throws {TypeError} `handler` is not a function.
 * @throws {WebsocketOptionError} An option is wrong or unknown.
 * @example
 * const { client, ended } = runHandler(chat, { params: { room: 'a' }, session: { name: 'Ada' } });
 * expect(await client.wait()).toBe('Ada is here');
 * await client.close();
 * expect(await ended).toMatchObject({ outcome: 'returned', code: 1000 });
 */
export function runHandler<
  Format extends ValueFormat,
  Sends extends StandardSchema = StandardSchema,
  Req extends IncomingMessage = RequireWebsocketRequest<
    RouteParams,
    ReceivedMessage<Format>,
    RouteQuery,
    SendableMessage<Format, Sends>
  >,
>(
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the handler's author chooses the type
  handler: (req: Req, res: any, next: Next) => unknown,
  fields: HandlerFields<Req> | undefined,
  options: RunHandlerOptions<Format, Sends> & { messages: Format },
): RunningHandler<SchemaOutput<Sends>, Format extends StandardSchema ? SchemaInput<Format> : unknown>;
export function runHandler<Req extends IncomingMessage = RequireWebsocketRequest>(
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the handler's author chooses the type
  handler: (req: Req, res: any, next: Next) => unknown,
  fields?: HandlerFields<Req>,
  options?: RunHandlerOptions,
): RunningHandler;
export function runHandler(
  handler: AnyHandler,
  fields: HandlerFields = {},
  options: AnyOptions & { deadline?: number | undefined } = {},
): RunningHandler<unknown, unknown> {
  const callSite = captureCallSite();
  checkHandler(handler, 'runHandler');
  const { headers, url = '/', ...rest } = fields;
  const { deadline, ...routeOptions } = options;
  const offered = typeof routeOptions.protocols === 'function' ? undefined : routeOptions.protocols;
  const { observed, outcome } = observe(handler, rest);
  const route = wrapAccepting(observed, { origins: 'any', ...routeOptions });
  const messages = formatOfClient(routeOptions);
  const settings = resolveConnectOptions({ deadline, headers, protocols: offered, messages });
  const app = (req: IncomingMessage, res: ServerResponse): void => {
    // There is no next handler, so `next()` closes the websocket.
    route(req, res, () => void (req as Marked).websocket?.close());
  };
  const client = openClient(resolveTarget(app, url), settings, callSite);
  const end = waitForEnd(client, outcome);
  // Marks a rejection as handled, for tests that do not await `ended`. The client reports it, too.
  end.catch(() => undefined);
  const ended = new LazyPromise(() =>
    within(end, settings.deadline, () => withCallSite(callSite, explain(client, settings.deadline))),
  );
  return { client, ended };
}

/** Returns the option `messages` of the client: what the handler sends. */
function formatOfClient({ messages, sends }: AnyOptions): ValueFormat | undefined {
  return messages === undefined || isMessageKind(messages) ? undefined : (sends ?? 'json');
}

async function waitForEnd(
  client: TestClient<unknown, unknown>,
  outcome: Promise<Outcome>,
): Promise<HandlerEnd> {
  await whenOpened(client);
  const { websocket, ...how } = await outcome;
  return { ...how, ...(await websocket.closed) };
}

function explain(client: TestClient<unknown, unknown>, deadline: number): WebsocketExpectationError {
  return new WebsocketExpectationError(
    `the handler to end within ${String(deadline)} ms`,
    client.isClosed()
      ? 'its websocket has closed, and it still runs'
      : 'it still runs, and its websocket is open',
  );
}

/** Wraps a handler. The wrapper adds the fields to its request, and reports how the handler ends. */
function observe(handler: AnyHandler, fields: Record<string, unknown>) {
  let settle!: (outcome: Outcome) => void;
  const outcome = new Promise<Outcome>((resolve) => (settle = resolve));
  const observed = async (req: AcceptWebsocketRequest, res: BaseResponse, next: Next): Promise<void> => {
    const websocket = req.websocket as Websocket;
    const end = (how: HandlerEnd['outcome'], value: unknown, error: unknown): void => {
      settle({ websocket, outcome: how, value, error });
    };
    addRequestFields(req as IncomingMessage, res as ServerResponse, fields);
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
