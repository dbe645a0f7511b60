import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Message } from '../options/options.js';
import { CloseCode } from '../shared/close-codes.js';
import { describe } from '../shared/errors.js';
import { Connection, type ConnectionHandlers } from '../websocket/connection.js';
import { createWebsocket, type Websocket } from '../websocket/websocket.js';
import { headersOf, type ClientSettings } from './client-options.js';
import type { Way } from './dial.js';
import { describeRefusal, WebsocketExpectationError, type Site } from './errors.js';
import { failureAtOtherEnd } from './handler-failures.js';
import { FAILED, shakeHands, type Welcome } from './handshake.js';

/** A client's connection, with a websocket of the core on it, and what a failing test wants to know of it. */
export class Line<M extends Message> {
  readonly connection: Connection<Websocket>;
  readonly websocket: Websocket<M>;
  readonly socket: Socket;
  /** What the 101 has brought; rejects when the handshake has failed. */
  readonly opened: Promise<Welcome>;
  #isConnecting = true;
  #hasLeft = false;
  #lastMessage: string | undefined;
  #failure: { readonly error: unknown } | undefined;
  #refusal: Error | undefined;
  #end: { readonly code: number; readonly reason: string } | undefined;

  constructor(way: Way, settings: ClientSettings, site: Site, onClose: () => void) {
    const { policy, origin } = settings;
    let socket!: Socket;
    const options = {
      createConnection: () => (socket = way.open()),
      headers: headersOf(settings, way),
      origin,
      autoPong: false,
      maxPayload: policy.maxPayload,
      perMessageDeflate: policy.perMessageDeflate,
      closeTimeout: policy.closeTimeout,
    };
    this.connection = new Connection(way.url, [], options);
    this.socket = socket;
    // Told of at once, and not with the promise: the connection ends before that is heard of.
    const refuse = (error: Error): void => {
      if (this.#isConnecting) this.#refusal ??= error;
    };
    this.opened = shakeHands(this.connection, way.url, settings, site, refuse).finally(() => {
      this.#isConnecting = false;
    });
    // For those who do not await it.
    this.opened.catch(() => undefined);
    // Of its request a client's websocket needs no more than a name for the lines of NODE_DEBUG.
    const request = { url: `client of ${way.url.pathname}` } as IncomingMessage;
    this.websocket = createWebsocket(this.connection, socket, request, policy) as Websocket<M>;
    this.#listen(onClose);
  }

  get isConnecting(): boolean {
    return this.#isConnecting;
  }

  /** The test ends it: no end is a failure from now on. */
  leave(): void {
    this.#hasLeft = true;
  }

  /** Whether there never was a websocket: the handshake has been refused, or has failed. */
  get isRefused(): boolean {
    return this.#refusal !== undefined;
  }

  /** Whether it has ended as nobody can have wanted it: the handler has failed, or the connection broke. */
  get hasFailed(): boolean {
    const code = this.#end?.code;
    return !this.#hasLeft && (code === CloseCode.internalError || code === CloseCode.abnormal);
  }

  /** The error of somebody who has waited in vain. */
  explain(expected: string): WebsocketExpectationError {
    return new WebsocketExpectationError(expected, this.#describe(), this.#refusal ?? this.#failure?.error);
  }

  #describe(): string {
    const last = this.#lastMessage === undefined ? '' : `; the last message was ${this.#lastMessage}`;
    if (this.#refusal !== undefined) return describeRefusal(this.#refusal);
    if (this.#isConnecting) return 'the handshake is not complete';
    if (this.#end === undefined) {
      const unread = this.websocket.countMessages();
      const came = unread === 0 ? 'nothing came' : `messages are unread: ${String(unread)}`;
      return `the websocket is open, and ${came}${last}`;
    }
    const { code, reason } = this.#end;
    const failure = this.#failure;
    const why = failure === undefined ? '' : `, for the handler failed: ${String(failure.error)}`;
    return `the websocket closed with ${String(code)}${reason === '' ? '' : ` (${reason})`}${why}${last}`;
  }

  /** Sees what happens on the connection before the websocket does. */
  #listen(onClose: () => void): void {
    const { connection } = this;
    const handlers = connection.handlers as ConnectionHandlers<Websocket>;
    connection.handlers = {
      ...handlers,
      message: (owner, data, isBinary) => {
        this.#lastMessage = isBinary ? `${String(data.length)} bytes` : describe(data.toString());
        handlers.message(owner, data, isBinary);
      },
      error: (owner, error) => {
        connection.emit(FAILED, error);
        handlers.error(owner, error);
      },
      closing: (owner, code, reason) => {
        this.#ended(code ?? CloseCode.noStatus, reason?.toString() ?? '');
        handlers.closing(owner, code, reason);
      },
      close: (owner, code, reason) => {
        this.#ended(code, reason.toString());
        handlers.close(owner, code, reason);
        onClose();
      },
    };
  }

  #ended(code: number, reason: string): void {
    if (this.#end !== undefined) return;
    this.#end = { code, reason };
    this.#failure = failureAtOtherEnd(this.socket);
  }
}
