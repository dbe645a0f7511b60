import type { IncomingMessage } from 'node:http';
import { trustOf } from '../internals/express.js';
import { extension, PerMessageDeflate, subprotocol } from '../internals/ws.js';
import { isOrigin, SAME_ORIGIN, type Policy } from '../options/policy.js';
import { describe, optionError } from '../shared/errors.js';

/** Says whether a handshake is accepted, or refused with an ordinary HTTP response. */
export type Verdict = Acceptance | Refusal;

/** Describes a handshake that is accepted. */
export interface Acceptance {
  readonly refused: false;
  /** The chosen subprotocol, or `''`. */
  readonly protocol: string;
  /** Whether the client offered subprotocols, but the route's list contains none of them. */
  readonly hasNoCommonProtocol: boolean;
}

/** Describes the HTTP response to a refused handshake. */
export interface Refusal {
  readonly refused: true;
  readonly status: number;
  /** What is wrong, and what to do. */
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Creates a refusal. */
export function refusal(status: number, text: string, headers: Record<string, string> = {}): Refusal {
  return { refused: true, status, text, headers };
}

/**
 * Returns whether a request asks for a websocket: a GET without a body and with `Upgrade: websocket` (RFC 6455, 4.1).
 * All other requests are handled as plain HTTP.
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
 * Checks a whole handshake, and returns the verdict. Does not use the connection.
 *
 * @throws {WebsocketOptionError} A function given as `protocols` or `origins` returned an invalid value.
 */
export function judgeHandshake(req: IncomingMessage, policy: Policy): Verdict {
  const { headers } = req;
  if (headers['sec-websocket-version'] !== '13') {
    const version = headers['sec-websocket-version'];
    return version === undefined
      ? refusal(400, 'the header Sec-WebSocket-Version is missing; send version 13 (RFC 6455)')
      : refusal(426, 'this server supports only version 13 of the WebSocket protocol (RFC 6455)', {
          'Sec-WebSocket-Version': '13',
          Upgrade: 'websocket',
        });
  }
  const key = headers['sec-websocket-key'];
  if (key === undefined || !KEY.test(key)) {
    return refusal(
      400,
      'the header Sec-WebSocket-Key is missing or invalid; send 16 bytes in base64 (RFC 6455, 4.2.1)',
    );
  }
  if (headers.host === undefined)
    return refusal(400, 'the header Host is missing; send it (RFC 6455, 4.2.1)');
  if (req.httpVersionMajor < 1 || (req.httpVersionMajor === 1 && req.httpVersionMinor < 1)) {
    return refusal(
      400,
      'a websocket handshake needs HTTP/1.1 (RFC 6455, 4.2.1); make sure that no proxy uses HTTP/1.0',
    );
  }
  const offered = parseProtocols(headers['sec-websocket-protocol']);
  if (offered === undefined) {
    return refusal(
      400,
      'the header Sec-WebSocket-Protocol is malformed; send a list of different names, such as "chat.v2, chat.v1"',
    );
  }
  if (!areExtensionsValid(headers['sec-websocket-extensions'], policy)) {
    return refusal(
      400,
      'the header Sec-WebSocket-Extensions is malformed or has invalid parameters (RFC 7692, 7.1)',
    );
  }
  const refused = judgeOrigin(req, policy);
  if (refused !== undefined) return refused;
  const protocol = chooseProtocol(offered, req, policy);
  // A function may choose no protocol on purpose, so only a list causes the warning.
  const isListed = typeof policy.protocols !== 'function';
  return { refused: false, protocol, hasNoCommonProtocol: isListed && protocol === '' && offered.length > 0 };
}

/** Returns the offered subprotocols, or `undefined` if the header is malformed. */
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
      // ws repeats this check during the upgrade. If the check failed there, ws would write its refusal directly to the
      // socket, without our response.
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
      // A promise is truthy, so it would allow every origin.
      throw optionError(
        TypeError,
        'origins',
        'a function that returns true or false, and no promise',
        answer,
      );
    }
    return refusal(
      403,
      `origin ${quote(origin)} is not allowed here; the function given as origins refused it`,
    );
  }
  // The client is not a browser, and the check of the Origin header protects only users of browsers (RFC 6455, 10.2).
  if (origin === undefined) return undefined;
  if (origins === SAME_ORIGIN) return judgeSameOrigin(req, origin);
  if (origins.some((allowed) => matches(allowed, origin))) return undefined;
  return refusal(403, notAllowed(origin));
}

/** Returns what is wrong, and what to do. A client may send an invalid origin, which no list can contain. */
function notAllowed(origin: string): string {
  const remedy = isOrigin(origin)
    ? 'add it to origins'
    : 'browsers send scheme://host or null, so add a RegExp that matches this text to origins';
  return `origin ${quote(origin)} is not allowed here; ${remedy}, or pass origins: 'any'`;
}

function judgeSameOrigin(req: IncomingMessage, origin: string): Refusal | undefined {
  const host = hostOf(req);
  if (isSameHost(origin, host)) return undefined;
  return refusal(
    403,
    `${notAllowed(origin)}. By default only pages of the same host may connect, and the host of this request is ${quote(host)}; ` +
      'if a proxy changes the Host header, make it forward the original one (nginx: proxy_set_header Host $http_host; ' +
      'Vite: leave out changeOrigin, or add rewriteWsOrigin: true)' +
      // Only Express has a setting for trusted proxies.
      (trustOf(req) === undefined
        ? ''
        : ", or make it send X-Forwarded-Host and call app.set('trust proxy', …)"),
  );
}

/** Returns the host as Express does: from `X-Forwarded-Host` if the app trusts the proxy, and from `Host` if not. */
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
  // Both URLs have the page's scheme, so that the URL parser drops the same default port from both.
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
  // A client may send an Origin header of 16 KiB.
  return JSON.stringify(value.length > 300 ? `${value.slice(0, 300)}…` : value);
}
