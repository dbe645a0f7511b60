import type { SchemaResult, StandardSchema } from '../shared/standard-schema.js';
import { checkWhole } from './check-whole.js';
import { locate } from './history-position.js';
import { createInbox } from './inbox.js';
import { isForValues, resolveOptions, type AnyOptions } from './options.js';
import { createOutbox } from './outbox.js';
import { pauseAfter } from './pauses.js';
import { abandon, type Socket } from './socket.js';
import type {
  ClientMessageFormat,
  ClientMessageKinds,
  ClientOptions,
  ClientState,
  ClientUrl,
  CloseInfo,
  HistoryStart,
  ReceivedByClient,
  ReconnectingWebsocket,
  SentByClient,
} from './types.js';
import { resolveUrl } from './url.js';
import { encode } from './values.js';
import { isOffline, watchPage } from './watch-page.js';

/**
 * Opens a websocket that reconnects until it stops for good. Returns at once.
 *
 * @throws {TypeError} `url` is not a URL, or an option is wrong.
 * @example
 * const socket = connect('/chat/lobby', { messages: 'json' });
 * for await (const message of socket) show(message);
 */
export function connect<
  Format extends 'json' | StandardSchema,
  Sends extends StandardSchema = StandardSchema,
>(
  url: ClientUrl,
  options: ClientOptions<Format, Sends> & { messages: Format },
): ReconnectingWebsocket<ReceivedByClient<Format>, SentByClient<Format, Sends>>;
export function connect<Kind extends keyof ClientMessageKinds = 'both'>(
  url: ClientUrl,
  options?: ClientOptions<Kind>,
): ReconnectingWebsocket<ClientMessageKinds[Kind]>;
export function connect(
  url: ClientUrl,
  options: ClientOptions<ClientMessageFormat> = {},
): ReconnectingWebsocket<never, never> {
  /** A connection that was open for this many milliseconds shows that the server works, so pauses start anew. */
  const STABLE = 10_000;
  /** A close frame holds at most so many bytes of a reason (RFC 6455, 5.5). */
  const MAX_REASON_BYTES = 123;
  /** The close code for what a server closes with 1003 or 1007, which browsers do not let a page send. */
  const INVALID = 4007;
  /** As many characters fit into a close frame, whatever they are. */
  const MAX_REASON = 41;

  const settings = resolveOptions(options as AnyOptions);
  const { messages, invalid, welcome } = settings;
  const outbox = createOutbox(settings);
  const inbox = createInbox();
  const controller = new AbortController();
  const { signal } = controller;
  let state: ClientState = 'connecting';
  let lastClose: CloseInfo | undefined;
  /** The connection, or the one that is being made. */
  let socket: Socket | undefined;
  /** Ends the present attempt, the present pause or the closing handshake. */
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** When the last attempt began, by `performance.now()`: the clock of the computer may be set back. */
  let triedAt: number;
  /** When the connection was open. */
  let openedAt = Infinity;
  /** The losses in a row, without a stable connection between them. */
  let losses = 0;
  /** The id of the last message. */
  let since: unknown;
  let resolveClosed: (info: CloseInfo) => void;
  const closed = new Promise<CloseInfo>((resolve) => (resolveClosed = resolve));

  const setTimer = (onTime: () => unknown, ms: number) => {
    clearTimeout(timer);
    return (timer = setTimeout(onTime, ms));
  };

  const setState = (next: ClientState): void => {
    // The option `stop` may have called `close`.
    if (state === 'closed') return;
    state = next;
    client.dispatchEvent(new Event('state'));
  };

  const attempt = async (): Promise<void> => {
    triedAt = performance.now();
    const own = setTimer(() => {
      lose('connectTimeout');
    }, settings.connectTimeout);
    setState('connecting');
    try {
      // A listener of 'state' may have called `close`.
      if (timer !== own) return;
      const to = typeof url === 'function' ? await url() : url;
      if (timer !== own) return;
      if (to === null) return close(1000, 'null');
      const opening = new settings.WebSocket(resolveUrl(to, since), settings.protocols);
      socket = opening;
      opening.binaryType = 'arraybuffer';
      opening.onopen = () => {
        clearTimeout(timer);
        openedAt = performance.now();
        outbox.use(opening);
        setState('open');
      };
      opening.onmessage = receive;
      opening.onclose = ({ code, reason, wasClean }) => {
        // Deno reports 0 for a connection that was never open.
        lose(reason, code || 1006, wasClean);
      };
      opening.onerror = ({ message }) => {
        // Does not wait for 'close': Node 22 emits none for a handshake that has failed. ws, Bun and Deno know the status.
        if (state === 'connecting') lose((message ?? '').replace(/.*: (\d{3})$/s, 'refused with $1'));
      };
    } catch (error) {
      // Later, so that the caller of `connect` has the client, and its listener gets the event.
      await Promise.resolve();
      if (timer === own) lose(String(error));
    }
  };

  const receive = ({ data: received }: { readonly data: string | ArrayBuffer }): void => {
    const data = typeof received === 'string' ? received : new Uint8Array(received);
    const entry = inbox.push();
    const accept = (result: SchemaResult | null): void => {
      const issues = result?.issues;
      inbox.settle(entry, issues ? null : result);
      if (!issues) return;
      if (invalid) invalid(issues, client, data);
      else close(INVALID, `invalid message: ${issues[0]?.message}`.slice(0, MAX_REASON));
    };
    let result: SchemaResult | Promise<SchemaResult> | null;
    try {
      if (messages !== 'both' && (typeof data === 'string') === (messages === 'binary'))
        throw Error('wrong kind');
      const value: unknown = isForValues(messages) ? JSON.parse(data as string) : data;
      const [id, isStart] = locate(value, settings);
      // It counts as seen, because its message is in the queue.
      since = id ?? since;
      result =
        isStart && welcome
          ? null
          : typeof messages === 'string'
            ? { value }
            : messages['~standard'].validate(value);
      // Later, so that what it throws is an error of its own.
      if (!result) void Promise.resolve(value as HistoryStart).then(welcome);
    } catch (error) {
      result = { issues: [error as Error] };
    }
    if (result && 'then' in result)
      result.then(accept, (error: unknown) => {
        accept({ issues: [error as Error] });
      });
    else accept(result);
  };

  /** Handles the loss of a connection, and the failure of an attempt. */
  const lose = (reason: string, code = 1006, wasClean?: boolean): void => {
    losses = performance.now() - openedAt > STABLE ? 1 : losses + 1;
    drop(code, reason, wasClean);
    setTimer(attempt, isOffline() ? settings.maxPause : pauseAfter(losses, settings, Math.random()));
    if (settings.stop(lastClose as CloseInfo)) stop();
    else setState('waiting');
  };

  const drop = (code: number, reason: string, wasClean = false): void => {
    if (socket) abandon(socket);
    socket = undefined;
    openedAt = Infinity;
    outbox.use(socket);
    lastClose = { code, reason, wasClean };
  };

  /** Stops for good, as `lastClose` says. */
  const stop = (isOver = true): void => {
    const info = lastClose as CloseInfo;
    const { code, reason } = info;
    const error = Object.assign(new Error(`closed with ${code} ${reason}`), {
      code: 'ERR_WEBSOCKET_CLOSED',
      closeCode: code,
      closeReason: reason,
    });
    clearTimeout(timer);
    timer = undefined;
    outbox.stop();
    inbox.end(error);
    if (isOver) resolveClosed(info);
    setState('closed');
    controller.abort(error);
  };

  /** Stops for good, with a closing handshake if the connection is open. */
  const close = (code: number, reason: string): void => {
    if (state === 'closed') return;
    const own = state === 'open' && socket;
    if (own) socket = undefined;
    drop(code, reason);
    stop(!own);
    if (!own) return;
    const end = ({ wasClean = false }): void => {
      clearTimeout(timer);
      abandon(own);
      resolveClosed((lastClose = { code, reason, wasClean }));
    };
    own.onmessage = () => undefined;
    own.onclose = end;
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-assertion -- with lib.dom, this call returns a number
    timer = setTimeout(end, settings.closeTimeout, {}) as unknown as typeof timer;
    own.close(code, reason);
  };

  // A class, because an `EventTarget` and its getters must be one object.
  const client = Object.assign(
    new (class extends EventTarget {
      get state() {
        return state;
      }
      get lastClose() {
        return lastClose;
      }
      get protocol() {
        return socket?.protocol ?? '';
      }
      get closed() {
        // On a later turn of the event loop, so that an endless loop does not block the page.
        return closed.then((info) => new Promise((resolve) => setTimeout(resolve, 0, info)));
      }
      send(data: unknown) {
        return outbox.send(encode(data, settings));
      }
      isClosed() {
        return state === 'closed';
      }
      close(code = 1000, reason = '') {
        // Browsers allow no other.
        if (code !== 1000) checkWhole(code, 'code', 3000, 4999);
        checkWhole(new Blob([reason]).size, 'reason bytes', 0, MAX_REASON_BYTES);
        close(code, reason);
        return closed.then(() => undefined);
      }
    })(),
    inbox.members,
    { signal },
  );

  // Throws at once if the URL is wrong. It stays the same if the page changes its `location`, or the caller a URL object.
  if (typeof url !== 'function') url = resolveUrl(url);
  void attempt();
  watchPage(
    signal,
    (reason) => {
      if (socket) lose(reason);
    },
    // Shortens the pause, though never below its shortest: a page that is hidden and shown all the time must not flood.
    () => {
      if (state === 'waiting' && !isOffline())
        setTimer(attempt, triedAt + pauseAfter(losses, settings) - performance.now());
    },
  );
  return client as unknown as ReconnectingWebsocket<never, never>;
}
