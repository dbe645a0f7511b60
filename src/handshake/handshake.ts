import type { IncomingMessage } from 'node:http';
import { trustOf } from '../internals/express.js';
import { extension, PerMessageDeflate, subprotocol } from '../internals/ws.js';
import { isOrigin, SAME_ORIGIN, type Policy } from '../options/policy.js';
import { describe, optionError } from '../shared/errors.js';

/** What becomes of a handshake: it is accepted, or refused with an ordinary HTTP response. */
export type Verdict = Acceptance | Refusal;

export interface Acceptance {
  readonly refused: false;
  /** The subprotocol agreed on, or `''`. */
  readonly protocol: string;
  /** Whether the client offered subprotocols, and none of them is in the route's list. */
  readonly hasNoCommonProtocol: boolean;
}

export interface Refusal {
  readonly refused: true;
  readonly status: number;
  /** What happened and the cure, for the person who reads the response. */
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

export function refusal(status: number, text: string, headers: Record<string, string> = {}): Refusal {
  return { refused: true, status, text, headers };
}

/**
 * Whether this request asks for a websocket: a GET without a body and with `Upgrade: websocket` (RFC 6455, 4.1).
 * Anything else is handled as the plain HTTP request that it also is.
 */
export function isWebsocketUpgrade(req: IncomingMessage): boolean {
  const { headers } = req;
  return (
    headers.upgrade !== undefined &&
    headers.upgrade.toLowerCase() === 'websocket' &&
    req.method === 'GET' &&
    headers.connection !== undefined &&
    /(?:^|,)\s*upgrade\s*(?:,|$)/i.test(headers.connection) &&
    headers['transfer-encoding'] === undefined &&
    (headers['content-length'] === undefined || Number(headers['content-length']) === 0)
  );
}

// 16 bytes in base64 (RFC 6455, 4.2.1).
const KEY = /^[+/0-9A-Za-z]{22}==$/;

/**
 * Judges a handshake, all of it, without touching the connection.
 *
 * @throws {WebsocketOptionError} A function given as `protocols` or `origins` answered with something else than it may.
 */
export function judgeHandshake(req: IncomingMessage, policy: Policy): Verdict {
  const { headers } = req;
  if (headers['sec-websocket-version'] !== '13') {
    const version = headers['sec-websocket-version'];
    return version === undefined
      ? refusal(
          400,
          'the header Sec-WebSocket-Version is missing; a websocket handshake has version 13 (RFC 6455)',
        )
      : refusal(426, 'this server speaks version 13 of the WebSocket protocol (RFC 6455)', {
          'Sec-WebSocket-Version': '13',
          Upgrade: 'websocket',
        });
  }
  const key = headers['sec-websocket-key'];
  if (key === undefined || !KEY.test(key)) {
    return refusal(
      400,
      'the header Sec-WebSocket-Key is missing or is not 16 bytes in base64 (RFC 6455, 4.2.1)',
    );
  }
  if (headers.host === undefined) return refusal(400, 'the header Host is missing (RFC 6455, 4.2.1)');
  if (req.httpVersionMajor < 1 || (req.httpVersionMajor === 1 && req.httpVersionMinor < 1)) {
    return refusal(
      400,
      'a websocket handshake needs HTTP/1.1 (RFC 6455, 4.2.1); a proxy may be speaking HTTP/1.0',
    );
  }
  const offered = parseProtocols(headers['sec-websocket-protocol']);
  if (offered === undefined) {
    return refusal(
      400,
      'the header Sec-WebSocket-Protocol is malformed: it is a list of different names, a, b',
    );
  }
  if (!areExtensionsValid(headers['sec-websocket-extensions'], policy)) {
    return refusal(
      400,
      'the header Sec-WebSocket-Extensions is malformed or asks for what cannot be (RFC 7692, 7.1)',
    );
  }
  const refused = judgeOrigin(req, policy);
  if (refused !== undefined) return refused;
  const protocol = chooseProtocol(offered, req, policy);
  // A function that chooses none has been asked.
  const isListed = typeof policy.protocols !== 'function';
  return { refused: false, protocol, hasNoCommonProtocol: isListed && protocol === '' && offered.length > 0 };
}

/** `undefined` when the header is malformed. */
function parseProtocols(header: string | undefined): string[] | undefined {
  if (header === undefined) return [];
  try {
    return [...subprotocol.parse(header)];
  } catch {
    return undefined;
  }
}

function areExtensionsValid(header: string | undefined, policy: Policy): boolean {
  if (header === undefined) return true;
  try {
    const offers = extension.parse(header)['permessage-deflate'];
    if (offers !== undefined && policy.perMessageDeflate !== false) {
      const settings = policy.perMessageDeflate === true ? {} : policy.perMessageDeflate;
      // The same question that ws will ask, asked before the upgrade: there it ends in a raw answer on the socket.
      new PerMessageDeflate({ ...settings, isServer: true, maxPayload: policy.maxPayload }).accept(offers);
    }
    return true;
  } catch {
    return false;
  }
}

function chooseProtocol(offered: readonly string[], req: IncomingMessage, { protocols }: Policy): string {
  if (offered.length === 0) return '';
  if (typeof protocols !== 'function') return protocols.find((name) => offered.includes(name)) ?? '';
  const chosen: unknown = protocols(offered, req);
  if (chosen === false) return '';
  if (typeof chosen === 'string' && offered.includes(chosen)) return chosen;
  throw optionError(
    TypeError,
    'protocols',
    `a function that returns one of the offered names (${offered.join(', ')}) or false`,
    chosen,
  );
}

function judgeOrigin(req: IncomingMessage, { origins }: Policy): Refusal | undefined {
  const { origin } = req.headers;
  if (origins === 'any') return undefined;
  if (typeof origins === 'function') {
    const answer: unknown = origins(origin, req);
    if (answer === true) return undefined;
    if (answer !== null && typeof answer === 'object') {
      // A promise is truthy: it would let in everybody.
      throw optionError(TypeError, 'origins', 'a function that returns true or false at once', answer);
    }
    return refusal(
      403,
      `origin ${quote(origin)} is not allowed here; the function given as origins refused it`,
    );
  }
  // No browser: what an Origin header protects is the cookies of a browser's user (RFC 6455, 10.2).
  if (origin === undefined) return undefined;
  if (origins === SAME_ORIGIN) return judgeSameOrigin(req, origin);
  if (origins.some((allowed) => matches(allowed, origin))) return undefined;
  return refusal(403, notAllowed(origin));
}

/** What happened and the cure. Not everything that a client sends as its origin can be listed. */
function notAllowed(origin: string): string {
  const cure = isOrigin(origin)
    ? 'add it to origins'
    : 'it is not an origin as a browser writes it (scheme://host, null), so add a RegExp that matches it to origins';
  return `origin ${quote(origin)} is not allowed here; ${cure}, or pass origins: 'any'`;
}

function judgeSameOrigin(req: IncomingMessage, origin: string): Refusal | undefined {
  const host = hostOf(req);
  if (isSameHost(origin, host)) return undefined;
  return refusal(
    403,
    `${notAllowed(origin)}. By default only pages of the request's own host may connect, and this request came for ${quote(host)}; ` +
      'behind a proxy let it forward the Host header (nginx: proxy_set_header Host $http_host; ' +
      'Vite: leave out changeOrigin, or add rewriteWsOrigin: true)' +
      // Only Express knows whom to trust.
      (trustOf(req) === undefined
        ? ''
        : ", or let it send X-Forwarded-Host and set app.set('trust proxy', …)"),
  );
}

/** The host as Express sees it: that of `X-Forwarded-Host`, where the app trusts the proxy that sent it. */
function hostOf(req: IncomingMessage): string | undefined {
  const forwarded = req.headers['x-forwarded-host'];
  if (typeof forwarded !== 'string' || !trustOf(req)?.(req.socket.remoteAddress, 0)) {
    return req.headers.host;
  }
  return forwarded.split(',', 1)[0]?.trim();
}

function isSameHost(origin: string, host: string | undefined): boolean {
  if (host === undefined || !URL.canParse(origin)) return false;
  const page = new URL(origin);
  // With the page's scheme, so that its default port is left out of both.
  const server = `${page.protocol}//${host}`;
  if (page.host === '' || !URL.canParse(server)) return false;
  const own = new URL(server);
  if (own.host === page.host) return true;
  return own.port === page.port && isLoopback(own.hostname) && isLoopback(page.hostname);
}

function isLoopback(name: string): boolean {
  return (
    name === 'localhost' || name.endsWith('.localhost') || name === '[::1]' || /^127(?:\.\d+){3}$/.test(name)
  );
}

function matches(allowed: string | RegExp, origin: string): boolean {
  return typeof allowed === 'string' ? allowed.toLowerCase() === origin.toLowerCase() : allowed.test(origin);
}

function quote(value: string | undefined): string {
  if (value === undefined) return describe(value);
  // A client may send 16 KiB.
  return JSON.stringify(value.length > 300 ? `${value.slice(0, 300)}…` : value);
}
