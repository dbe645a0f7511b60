import type { SchemaIssue, SchemaResult, StandardSchema } from '../shared/standard-schema.js';
import { closedError, createError, isWhole } from './errors.js';
import { createHistoryPosition } from './history-position.js';
import { createInbox } from './inbox.js';
import { isForValues, resolveOptions, type AnyOptions } from './options.js';
import { createOutbox } from './outbox.js';
import { drawPause, shortestPause } from './pauses.js';
import { abandon, sizeOf, type Bytes, type Socket } from './socket.js';
import type {
  ClientMessageFormat,
  ClientMessageKinds,
  ClientOptions,
  ClientState,
  ClientUrl,
  CloseInfo,
  ReceivedByClient,
  ReconnectingWebsocket,
  SentByClient,
} from './types.js';
import { resolveUrl } from './url.js';
import { encode } from './values.js';
import { isOffline, watchPage } from './watch-page.js';

/** A connection that was open for this many milliseconds shows that the server works, so pauses start anew. */
const STABLE = 10_000;

const MAX_REASON_BYTES = 123;

/** The close codes for what a server closes with 1003 and 1007, which browsers do not let a page send. */
const WRONG_KIND = 4003;
const INVALID = 4007;

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
  const settings = resolveOptions(options as AnyOptions);
  const { messages, invalid, welcome, maxQueue, connectTimeout, closeTimeout } = settings;
  const position = createHistoryPosition(settings);
  const outbox = createOutbox(settings);
  const inbox = createInbox(() => {
    if (isHeld) attempt();
  });
  const controller = new AbortController();
  const { signal } = controller;
  const target = new EventTarget();
  let state: ClientState = 'connecting';
  let lastClose: CloseInfo | undefined;
  /** The connection, or the one that is being made. */
  let socket: Socket | undefined;
  /** Ends the present attempt, the present pause or the closing handshake. */
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** When the last attempt began, in milliseconds since 1970. */
  let triedAt: number;
  /** When the connection was open. */
  let openedAt = Infinity;
  /** The losses in a row, without a stable connection between them. */
  let losses = 0;
  /** Whether an attempt is due, and waits until somebody has read enough. */
  let isHeld = false;
  let resolveClosed: (info: CloseInfo) => void;
  const closed = new Promise<CloseInfo>((resolve) => (resolveClosed = resolve));

  const setTimer = (ms: number, onTime: () => void) => {
    clearTimeout(timer);
    return (timer = setTimeout(onTime, ms));
  };

  const setState = (next: ClientState): void => {
    state = next;
    target.dispatchEvent(new Event('state'));
  };

  const attempt = (): void => {
    isHeld = inbox.countBytes() * 2 > maxQueue;
    if (isHeld) return;
    triedAt = Date.now();
    const own = setTimer(connectTimeout, () => {
      lose(`no connection within ${connectTimeout} ms`);
    });
    if (typeof url !== 'function') open(url);
    else
      new Promise<Awaited<ReturnType<typeof url>>>((resolve) => {
        resolve(url());
      })
        .then(
          (value) => {
            if (timer !== own) return;
            if (value === null) stop({ code: 1000, reason: 'the URL is null', wasClean: true });
            else open(value);
          },
          (error: unknown) => {
            if (timer === own) lose(String(error));
          },
        )
        // The URL is wrong, or `WebSocket` refuses an argument. The next attempt would fail, too.
        .catch((error: unknown) => {
          stop({ code: 1006, reason: String(error), wasClean: false });
        });
    setState('connecting');
  };

  /** @throws {TypeError | DOMException} The URL or a subprotocol is wrong. */
  const open = (to: string | URL): void => {
    const own = (socket = new settings.WebSocket(resolveUrl(to, position.get()), settings.protocols));
    const ifCurrent =
      <E>(listener: (event: E) => void) =>
      (event: E) => {
        if (socket === own) listener(event);
      };
    own.binaryType = 'arraybuffer';
    own.onopen = ifCurrent(() => {
      clearTimeout(timer);
      openedAt = Date.now();
      outbox.open(own);
      setState('open');
    });
    own.onmessage = ifCurrent(({ data }) => {
      receive(typeof data === 'string' ? data : new Uint8Array(data));
    });
    own.onclose = ifCurrent(({ code, reason, wasClean }) => {
      // Deno reports 0 for a connection that was never open.
      lose(reason, code || 1006, wasClean);
    });
    own.onerror = ifCurrent(({ message }) => {
      // Does not wait for 'close': Node 22 emits none for a handshake that has failed. ws, Bun and Deno know the status.
      const status = /(?:code|response): (\d+)$/.exec(message ?? '')?.[1];
      if (state === 'connecting') lose(status ? `refused with ${status}` : '');
    });
  };

  const receive = (data: string | Bytes): void => {
    const refuse = (issues: readonly SchemaIssue[]): void => {
      if (invalid) invalid(issues, client, data);
      else close(INVALID, `invalid message: ${issues[0]?.message}`, 'invalid message');
    };
    const isText = typeof data === 'string';
    if (messages !== 'both' && isText === (messages === 'binary')) {
      close(WRONG_KIND, `"messages" excludes ${isText ? 'text' : 'bytes'}`);
      return;
    }
    let value: unknown = data;
    try {
      if (isForValues(messages)) value = JSON.parse(data as string);
    } catch (error) {
      refuse([error as Error]);
      return;
    }
    if (position.takeStart(value) && welcome) {
      welcome(value);
      return;
    }
    const entry = inbox.push(sizeOf(data));
    const accept = (result: SchemaResult): void => {
      inbox.settle(entry, result.issues ? null : result);
      if (result.issues) refuse(result.issues);
    };
    const fail = (error: unknown): void => {
      accept({ issues: [error as Error] });
    };
    try {
      const result = typeof messages === 'string' ? { value } : messages['~standard'].validate(value);
      if ('then' in result) result.then(accept, fail);
      else accept(result);
    } catch (error) {
      fail(error);
    }
    // It counts as seen when it is in the queue.
    position.remember(value);
    if (inbox.countBytes() > maxQueue) lose('too many messages are unread');
  };

  /** Handles the loss of a connection, and the failure of an attempt. */
  const lose = (reason: string, code = 1006, wasClean = false): void => {
    lastClose = { code, reason, wasClean };
    losses = Date.now() - openedAt > STABLE ? 1 : losses + 1;
    drop();
    let isFinal = false;
    try {
      isFinal = settings.stop(lastClose);
    } finally {
      if (isFinal) stop(lastClose);
      else {
        setTimer(isOffline() ? settings.maxPause : drawPause(shortestPause(losses, settings)), attempt);
        setState('waiting');
      }
    }
  };

  const drop = (): void => {
    const own = socket;
    // First, because Node 22 emits 'error' again during `close()`.
    socket = undefined;
    openedAt = Infinity;
    abandon(own);
    outbox.lose();
  };

  /** Stops for good. */
  const stop = (info: CloseInfo, isOver = true): void => {
    const error = closedError(info);
    clearTimeout(timer);
    lastClose = info;
    isHeld = false;
    drop();
    outbox.stop();
    inbox.end(error);
    if (isOver) resolveClosed(info);
    setState('closed');
    controller.abort(error);
  };

  /** Stops for good, with a closing handshake if the connection is open. */
  const close = (code: number, reason: string, sentReason = reason): void => {
    if (state === 'closed') return;
    const info = { code, reason, wasClean: true };
    if (state !== 'open') {
      stop(info);
      return;
    }
    const own = socket!;
    socket = undefined;
    stop(info, false);
    const end = ({ wasClean }: { readonly wasClean: boolean }): void => {
      clearTimeout(timer);
      abandon(own);
      resolveClosed({ ...info, wasClean });
    };
    own.onclose = end;
    own.close(code, sentReason);
    setTimer(closeTimeout, () => {
      end({ wasClean: false });
    });
  };

  /** Shortens the pause, though never below its shortest: a page that is hidden and shown all the time must not flood. */
  const wake = (): void => {
    if (state === 'waiting' && !isOffline())
      setTimer(Math.max(0, triedAt + shortestPause(losses, settings) - Date.now()), attempt);
  };

  const members = {
    get state() {
      return state;
    },
    get lastClose() {
      return lastClose;
    },
    get protocol() {
      return socket?.protocol ?? '';
    },
    get closed() {
      // On a later turn of the event loop, so that an endless loop does not block the page.
      return closed.then((info) => new Promise((resolve) => setTimeout(resolve, 0, info)));
    },
    signal,
    wait: inbox.wait,
    read: inbox.read,
    countMessages: inbox.countMessages,
    hasMessages: () => inbox.countMessages() > 0,
    [Symbol.asyncIterator]: inbox.iterate,
    send: (data: unknown) => outbox.send(encode(data, settings)),
    isClosed: () => state === 'closed',
    close(code = 1000, reason = '') {
      if (code !== 1000 && !isWhole(code, 3000, 4999))
        throw createError('a close code must be 1000, or 3000 to 4999: browsers allow no other', RangeError);
      if (new TextEncoder().encode(reason).length > MAX_REASON_BYTES)
        throw createError('a close reason must be at most 123 bytes in UTF-8', RangeError);
      close(code, reason);
      return closed.then(() => undefined);
    },
  };
  const client = Object.defineProperties(target, Object.getOwnPropertyDescriptors(members));

  try {
    attempt();
  } catch (error) {
    clearTimeout(timer);
    throw error;
  }
  watchPage(
    signal,
    (reason) => {
      if (socket) lose(reason);
    },
    wake,
  );
  return client as unknown as ReconnectingWebsocket<never, never>;
}
