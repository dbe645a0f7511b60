import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { CloseCode } from '../shared/close-codes.js';
import { describe } from '../shared/errors.js';
import { Connection, type ConnectionHandlers } from '../websocket/connection.js';
import { openWebsocket } from '../websocket/open-websocket.js';
import type { Websocket } from '../websocket/websocket.js';
import { headersOf, type ClientSettings } from './client-options.js';
import { describeRefusal, WebsocketExpectationError, type CallSite } from './errors.js';
import { failureAtOtherEnd } from './handler-failures.js';
import { CONNECTION_ERROR, completeHandshake, type HandshakeResult } from './handshake.js';
import type { Endpoint } from './target.js';

/** Connects a client, wraps the connection in a `Websocket`, and explains failures. */
export class ClientConnection<M, Out> {
  readonly ws: Connection<Websocket>;
  readonly websocket: Websocket<M, Out>;
  readonly socket: Socket;
  /** Resolves with the facts of the 101; rejects when the handshake has failed. */
  readonly opened: Promise<HandshakeResult>;
  #isConnecting = true;
  #hasLeft = false;
  #lastMessage: string | undefined;
  #failure: { readonly error: unknown } | undefined;
  #refusal: Error | undefined;
  #end: { readonly code: number; readonly reason: string } | undefined;

  constructor(endpoint: Endpoint, settings: ClientSettings, callSite: CallSite, onClose: () => void) {
    const { policy, origin } = settings;
    let socket!: Socket;
    const options = {
      createConnection: () => (socket = endpoint.open()),
      headers: headersOf(settings, endpoint),
      origin,
      autoPong: false,
      maxPayload: policy.maxPayload,
      perMessageDeflate: policy.perMessageDeflate,
      closeTimeout: policy.closeTimeout,
    };
    this.ws = new Connection(endpoint.url, [], options);
    this.socket = socket;
    // A callback, because the connection closes before the rejection of the promise is handled.
    const refuse = (error: Error): void => {
      if (this.#isConnecting) this.#refusal ??= error;
    };
    this.opened = completeHandshake(this.ws, endpoint.url, settings, callSite, refuse).finally(() => {
      this.#isConnecting = false;
    });
    // Marks a rejection as handled, for tests that do not await the promise.
    this.opened.catch(() => undefined);
    // A client's websocket uses its request only for the lines of NODE_DEBUG.
    const request = { url: `client of ${endpoint.url.pathname}` } as IncomingMessage;
    this.websocket = openWebsocket(this.ws, socket, request, policy) as unknown as Websocket<M, Out>;
    this.#listen(onClose);
  }

  get isConnecting(): boolean {
    return this.#isConnecting;
  }

  /** Notes that the test ends the connection. From now on no close is a failure. */
  leave(): void {
    this.#hasLeft = true;
  }

  /** Whether the handshake was refused or has failed. */
  get isRefused(): boolean {
    return this.#refusal !== undefined;
  }

  /** Whether the connection has ended because the handler failed or the connection broke. */
  get hasFailed(): boolean {
    const code = this.#end?.code;
    return !this.#hasLeft && (code === CloseCode.internalError || code === CloseCode.abnormal);
  }

  /** Creates the error for a wait that got something else. */
  explain(expected: string): WebsocketExpectationError {
    return new WebsocketExpectationError(expected, this.#describe(), this.#refusal ?? this.#failure?.error);
  }

  #describe(): string {
    const last = this.#lastMessage === undefined ? '' : `; the last message was ${this.#lastMessage}`;
    if (this.#refusal !== undefined) return describeRefusal(this.#refusal);
    if (this.#isConnecting) return 'the handshake is not complete';
    if (this.#end === undefined) {
      const unread = this.websocket.countMessages();
      const came = unread === 0 ? 'nothing came' : `${String(unread)} messages are unread`;
      return `the websocket is open, and ${came}${last}`;
    }
    const { code, reason } = this.#end;
    const failure = this.#failure;
    const why = failure === undefined ? '' : `, because the handler failed: ${String(failure.error)}`;
    return `the websocket closed with ${String(code)}${reason === '' ? '' : ` (${reason})`}${why}${last}`;
  }

  /** Records the events of the connection, and then passes them to the websocket. */
  #listen(onClose: () => void): void {
    const { ws } = this;
    const handlers = ws.handlers as ConnectionHandlers<Websocket>;
    ws.handlers = {
      ...handlers,
      message: (owner, data, isBinary) => {
        this.#lastMessage = isBinary ? `${String(data.length)} bytes` : describe(data.toString());
        handlers.message(owner, data, isBinary);
      },
      error: (owner, error) => {
        ws.emit(CONNECTION_ERROR, error);
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
