import type { IncomingMessage, OutgoingHttpHeader, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { judgeHandshake, refusal, type Verdict } from '../handshake/handshake.js';
import { refuse } from '../handshake/answer.js';
import { SWITCHED } from '../handshake/response.js';
import { forgetHeaders, markHeadersSent, rawHeaderNames } from '../internals/node.js';
import type { ServerOptions } from '../internals/ws.js';
import type { Policy } from '../options/policy.js';
import { judgeWithoutUpgrade } from '../server/missed-upgrade.js';
import { isShuttingDown, stateOf } from '../server/server-state.js';
import { upgradeOf, type Upgrade } from '../server/upgrade.js';
import { debug, pathOf, warnOnce } from '../shared/notices.js';
import { Connection } from '../websocket/connection.js';
import { onOpen } from '../websocket/diagnostics.js';
import type { EndListener } from '../websocket/operations.js';
import { createWebsocket, type Websocket } from '../websocket/websocket.js';
import { markRequest } from './request.js';

const SHUTTING_DOWN = refusal(503, 'the server is shutting down; try again in a moment');

// Without the names: some clients hide a token among them.
const NO_COMMON_PROTOCOL =
  'the client offered subprotocols, and the route chose none of them; a browser then ends the connection. ' +
  "Give the route those that it speaks, protocols: ['chat.v1'], or offer none in the client";

/** Accepts or refuses the WebSocket requests of one route, under its options. */
export class Acceptor {
  readonly policy: Policy;
  readonly #server: WebSocketServer;
  // What the handshake that is being completed gives to the hooks of ws; there is never more than one at a time.
  #protocol = '';
  #headers: readonly string[] = [];

  constructor(policy: Policy) {
    this.policy = policy;
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      WebSocket: Connection,
      autoPong: false,
      maxPayload: policy.maxPayload,
      // Bounded by bytes: the reader joins them.
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
   * The websocket of a request, `undefined` when it was refused, or when the client has left or been answered while
   * middleware decided.
   *
   * @param listener Is told when the connection has ended.
   * @param refuseWith Answers one that is refused.
   * @throws What a function among the options has thrown.
   */
  open(
    req: IncomingMessage,
    res: ServerResponse,
    listener: EndListener,
    refuseWith: typeof refuse = refuse,
  ): Websocket | undefined {
    const upgrade = upgradeOf(req);
    if (upgrade !== undefined && upgrade.state !== 'pending') {
      debug('%s: reached its route after it had been answered, or the client had left', req.url);
      return undefined;
    }
    const verdict = this.#judge(req);
    if (verdict.refused) {
      refuseWith(req, res, verdict);
      return undefined;
    }
    return this.#accept(upgrade as Upgrade, verdict.protocol, listener);
  }

  /** Whether a request may have its websocket. */
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
      // The text has the origin.
      warnOnce(this.policy, 'WEBSOCKET_ORIGIN', `${pathOf(req)}: ${verdict.text}`, verdict.text);
    }
    if (!verdict.refused && verdict.hasNoCommonProtocol) {
      warnOnce(this.policy, 'WEBSOCKET_PROTOCOL', `${pathOf(req)}: ${NO_COMMON_PROTOCOL}`);
    }
    return verdict;
  }

  /** Sends the 101, with the headers that middleware has put on the response. */
  #accept(upgrade: Upgrade, protocol: string, listener: EndListener): Websocket | undefined {
    const { req, res } = upgrade;
    makeHeaders(res);
    const { socket, head } = upgrade.accept();
    this.#protocol = protocol;
    this.#headers = headersFor101(res);
    markHeadersSent(res);
    let websocket: Websocket | undefined;
    // As Node writes headers. ws writes them in the default encoding, which for ASCII is the same.
    const isLatin1 = this.#headers.some((line) => BEYOND_ASCII.test(line));
    if (isLatin1) socket.setDefaultEncoding('latin1');
    try {
      this.#server.handleUpgrade(req, socket, head, (ws) => {
        websocket = this.#welcome(upgrade, socket, ws as Connection<Websocket>, listener);
      });
    } catch (error) {
      // Somebody else has given this socket to ws.
      forgetHeaders(res);
      upgrade.lose();
      throw error;
    } finally {
      if (isLatin1) socket.setDefaultEncoding('utf8');
    }
    if (websocket === undefined) {
      debug('%s: the client left before the handshake', req.url);
      upgrade.lose();
      return undefined;
    }
    debug('%s: accepted%s', req.url, protocol === '' ? '' : `, speaking ${protocol}`);
    if (onOpen.hasSubscribers) onOpen.publish({ websocket, request: req });
    return websocket;
  }

  #welcome(
    upgrade: Upgrade,
    socket: Duplex,
    connection: Connection<Websocket>,
    listener: EndListener,
  ): Websocket {
    const { req } = upgrade;
    connection.readAhead(this.policy.maxPayload);
    const websocket = createWebsocket(
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
 * Makes the hooks of middleware run that wait for the headers (on-headers: express-session sets its cookie there).
 *
 * `writeHead` writes nothing yet. When a hook fails, the response is as it was, so that the app can answer.
 *
 * @throws What the hook has thrown.
 */
function makeHeaders(res: ServerResponse): void {
  const { statusCode } = res;
  try {
    res.writeHead(SWITCHED);
  } catch (error) {
    forgetHeaders(res);
    res.statusCode = statusCode;
    throw error;
  }
}

// Of the connection (RFC 9110, 7.6.1), of a body, and of the handshake itself: those are ours and ws's to send.
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
