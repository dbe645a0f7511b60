import { STATUS_CODES, type IncomingMessage, type OutgoingHttpHeader, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { refuse } from '../handshake/answer.js';
import { judgeHandshake, type Verdict } from '../handshake/handshake.js';
import { SWITCHING_PROTOCOLS } from '../handshake/websocket-response.js';
import {
  forgetHeaders,
  markHeadersSent,
  mayHaveHeaderHooks,
  rawHeaderNames,
  shrinkEmptyEvents,
} from '../internals/node.js';
import { WebSocketServer, type ServerOptions } from '../internals/ws.js';
import type { Policy } from '../options/policy.js';
import { judgeWithoutUpgrade } from '../server/missed-upgrade.js';
import { isShuttingDown, SHUTTING_DOWN, stateOf } from '../server/server-state.js';
import { upgradeOf, type Upgrade } from '../server/upgrade.js';
import { debug, pathOf, warnOnce } from '../shared/notices.js';
import { wholeUrl } from '../shared/whole-url.js';
import { Connection } from '../websocket/connection.js';
import { onOpen } from '../websocket/diagnostics.js';
import { openWebsocket } from '../websocket/open-websocket.js';
import type { EndListener } from '../websocket/operations.js';
import { RateLimitedConnection } from '../websocket/rate-limited-connection.js';
import type { Websocket } from '../websocket/websocket.js';
import { markRequest } from './request.js';

// The text does not contain the names, because some clients send a secret token as one of them.
const NO_COMMON_PROTOCOL =
  'the client offered subprotocols, and the route supports none of them, so a browser ends the connection. ' +
  "List the route's subprotocols, as in protocols: ['chat.v1'], or offer none in the client";

/** Accepts or refuses the WebSocket requests of one route, according to its options. */
export class Acceptor {
  readonly policy: Policy;
  readonly #server: InstanceType<typeof WebSocketServer>;
  // Values of the current handshake, for the hooks of ws. ws completes a handshake synchronously, so there is only one at a
  // time.
  #protocol = '';
  #headers: readonly string[] = [];

  constructor(policy: Policy) {
    this.policy = policy;
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      WebSocket: policy.messageRate === false ? Connection : RateLimitedConnection,
      autoPong: false,
      maxPayload: policy.maxPayload,
      // Unlimited: the reader joins fragments and chunks, and limits their bytes.
      maxFragments: 0,
      maxBufferedChunks: 0,
      perMessageDeflate: policy.perMessageDeflate,
      closeTimeout: policy.closeTimeout,
      handleProtocols: () => (this.#protocol === '' ? false : this.#protocol),
    } as ServerOptions);
    this.#server.on('headers', (lines) => {
      lines.push(...this.#headers);
    });
  }

  /**
   * Completes the handshake of a request, and returns its websocket. Returns `undefined` in the same cases as {@link admit}.
   *
   * @param listener Called when the connection has ended.
   * @param refuseWith Sends the refusal.
   * @throws The error of a function among the options.
   */
  open(
    req: IncomingMessage,
    res: ServerResponse,
    listener: EndListener,
    refuseWith: typeof refuse = refuse,
  ): Websocket | undefined {
    const protocol = this.admit(req, res, refuseWith);
    return protocol === undefined ? undefined : this.#accept(upgradeOf(req) as Upgrade, protocol, listener);
  }

  /**
   * Judges a handshake. Returns the subprotocol, which may be `''`. Returns `undefined` if the request is refused, was answered
   * before, or its client has disconnected.
   *
   * @throws The error of a function among the options.
   */
  admit(req: IncomingMessage, res: ServerResponse, refuseWith: typeof refuse = refuse): string | undefined {
    const upgrade = upgradeOf(req);
    if (upgrade !== undefined && upgrade.state !== 'pending') {
      debug('%s: reached its route after it was answered, or after the client disconnected', req.url);
      return undefined;
    }
    const verdict = this.#judge(req);
    if (!verdict.refused) return verdict.protocol;
    refuseWith(req, res, verdict);
    return undefined;
  }

  /** Returns the verdict on a request, and warns if the operator can correct the cause. */
  #judge(req: IncomingMessage): Verdict {
    const upgrade = upgradeOf(req);
    if (upgrade === undefined) {
      const verdict = judgeWithoutUpgrade(req);
      warnOnce(this.policy, 'WEBSOCKET_NOT_ATTACHED', `${pathOf(req)}: ${verdict.text}`);
      return verdict;
    }
    if (isShuttingDown(upgrade.server)) return SHUTTING_DOWN;
    const verdict = judgeHandshake(req, this.policy);
    if (verdict.refused && verdict.status === 403) {
      // The text contains the origin, so each origin has its own warning.
      warnOnce(this.policy, 'WEBSOCKET_ORIGIN', `${pathOf(req)}: ${verdict.text}`, verdict.text);
    }
    if (!verdict.refused && verdict.hasNoCommonProtocol) {
      warnOnce(this.policy, 'WEBSOCKET_PROTOCOL', `${pathOf(req)}: ${NO_COMMON_PROTOCOL}`);
    }
    return verdict;
  }

  /** Sends the 101, with the headers that middleware has set on the response. */
  #accept(upgrade: Upgrade, protocol: string, listener: EndListener): Websocket | undefined {
    const { req, res } = upgrade;
    runHeaderHooks(res);
    const { socket, head } = upgrade.accept();
    this.#protocol = protocol;
    this.#headers = headersFor101(res);
    markHeadersSent(res);
    let websocket: Websocket | undefined;
    // Node writes headers as Latin-1, and ws in the socket's default encoding. For ASCII both are the same.
    const isLatin1 = this.#headers.some((line) => BEYOND_ASCII.test(line));
    if (isLatin1) socket.setDefaultEncoding('latin1');
    // Tracers name the handshake after its URL.
    const { url = '' } = req;
    req.url = wholeUrl(req);
    try {
      this.#server.handleUpgrade(req, socket, head, (ws) => {
        websocket = this.#createWebsocket(upgrade, socket, ws as Connection<Websocket>, listener);
      });
    } catch (error) {
      // ws throws if other code has given it this socket before.
      forgetHeaders(res);
      upgrade.fail();
      throw error;
    } finally {
      req.url = url;
      if (isLatin1) socket.setDefaultEncoding('utf8');
    }
    if (websocket === undefined) {
      debug('%s: the client disconnected before the handshake', req.url);
      upgrade.fail();
      return undefined;
    }
    debug('%s: accepted%s', req.url, protocol === '' ? '' : ` with subprotocol ${protocol}`);
    if (onOpen.hasSubscribers) onOpen.publish({ websocket, request: req });
    return websocket;
  }

  #createWebsocket(
    upgrade: Upgrade,
    socket: Duplex,
    connection: Connection<Websocket>,
    listener: EndListener,
  ): Websocket {
    const { req } = upgrade;
    const { maxPayload, messageRate } = this.policy;
    shrinkEmptyEvents(connection);
    connection.readAhead(maxPayload);
    if (messageRate !== false) (connection as RateLimitedConnection<Websocket>).limit(messageRate);
    const websocket = openWebsocket(
      connection,
      socket,
      req,
      this.policy,
      stateOf(upgrade.server).open,
      listener,
    );
    upgrade.websocket = websocket;
    markRequest(req, websocket);
    return websocket;
  }
}

/**
 * Calls the hooks that middleware has set for the moment before the headers are sent. For example, express-session sets its
 * cookie in one.
 *
 * It calls `writeHead`, which writes nothing to the socket yet. If a hook throws, it resets the response, so that the app
 * can answer.
 *
 * @throws The error of the hook.
 */
function runHeaderHooks(res: ServerResponse): void {
  const { statusCode } = res;
  if (!mayHaveHeaderHooks(res)) {
    // All that `writeHead` would do and that stays, without the text of the headers, which we do not use.
    res.statusCode = SWITCHING_PROTOCOLS;
    res.statusMessage ||= STATUS_CODES[SWITCHING_PROTOCOLS] as string;
    return;
  }
  try {
    res.writeHead(SWITCHING_PROTOCOLS);
  } catch (error) {
    forgetHeaders(res);
    res.statusCode = statusCode;
    throw error;
  }
}

// The headers that describe the connection (RFC 9110, 7.6.1), a body, or the handshake. This package and ws send their own.
const NOT_FOR_101 =
  /^(?:connection|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade|http2-settings|etag|last-modified|content-(?:length|type|encoding|language|location|range|md5|disposition|digest)|sec-websocket-.*)$/i;

const BEYOND_ASCII = /[\x80-\xff]/;

function headersFor101(res: ServerResponse): string[] {
  const lines: string[] = [];
  for (const name of rawHeaderNames(res)) {
    if (NOT_FOR_101.test(name)) continue;
    for (const value of asList(res.getHeader(name))) lines.push(`${name}: ${value}`);
  }
  return lines;
}

function asList(value: OutgoingHttpHeader | undefined): string[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [String(value)];
}
