import type { OutgoingHttpHeaders } from 'node:http';
import { checkNames, checkTime } from '../options/checks.js';
import { resolveOptions, type MessageKind, type Policy, type WebsocketOptions } from '../options/options.js';
import { optionError } from '../shared/errors.js';
import { DEFAULT_DEADLINE } from './deadline.js';
import type { Way } from './dial.js';

/** A supertest agent, of which no more than its cookie jar is used. */
export interface Agent {
  readonly jar: {
    getCookies(access: never): { toValueString(): string };
    setCookies(cookies: string[], domain?: string, path?: string): unknown;
  };
}

type Shared = 'messages' | 'maxPayload' | 'maxQueue' | 'highWaterMark' | 'maxBuffered' | 'perMessageDeflate';

/** Options of `connect`. Those of a route that a client has, too, mean the same; only their defaults are wide. */
export interface ConnectOptions<Kind extends MessageKind = MessageKind> extends Pick<
  WebsocketOptions<Kind>,
  Shared
> {
  /** Headers of the handshake: `{ cookie, authorization: 'Bearer …' }`. */
  headers?: OutgoingHttpHeaders | undefined;
  /** A supertest agent: its cookies go with the handshake, and those of the answer go into its jar. */
  agent?: Agent | undefined;
  /**
   * The `Origin` header, which a browser would send.
   *
   * @default none
   */
  origin?: string | undefined;
  /**
   * The subprotocols to offer. When the route takes none of them the websocket has none; a browser would refuse it.
   *
   * @default [] (none)
   */
  protocols?: readonly string[] | undefined;
  /**
   * Milliseconds for the handshake, and for each wait that is given no time of its own.
   *
   * @default 1_000
   */
  deadline?: number | undefined;
  /**
   * Whether a certificate must be of a known authority.
   *
   * @default false for a server, true for a URL
   */
  rejectUnauthorized?: boolean | undefined;
}

export interface ClientSettings {
  readonly policy: Policy;
  readonly headers: OutgoingHttpHeaders;
  readonly agent: Agent | undefined;
  readonly origin: string | undefined;
  readonly protocols: readonly string[];
  readonly deadline: number;
  readonly rejectUnauthorized: boolean | undefined;
}

const SHARED = ['messages', 'maxPayload', 'maxQueue', 'highWaterMark', 'maxBuffered', 'perMessageDeflate'];
const OWN = ['headers', 'agent', 'origin', 'protocols', 'deadline', 'rejectUnauthorized'];

// A test reads what a server sends: as a browser does, it takes whatever comes.
const WIDE = 100 * 2 ** 20;
const DEFAULTS = resolveOptions({ heartbeat: false, maxPayload: WIDE, maxQueue: WIDE });

/** @throws {WebsocketOptionError} naming the option, the rule and the value. */
export function resolveConnectOptions(options: ConnectOptions): ClientSettings {
  checkNames(options, [...SHARED, ...OWN]);
  const {
    headers = {},
    agent,
    origin,
    protocols = [],
    deadline = DEFAULT_DEADLINE,
    rejectUnauthorized,
  } = options;
  checkTime(deadline, 'deadline');
  if (!Array.isArray(protocols))
    throw optionError(TypeError, 'protocols', "a list such as ['chat']", protocols);
  if (agent !== undefined && typeof (agent as Partial<Agent>).jar?.getCookies !== 'function') {
    throw optionError(
      TypeError,
      'agent',
      "a supertest agent with cookies: require('supertest').agent(app)",
      agent,
    );
  }
  const shared = Object.fromEntries(Object.entries(options).filter(([name]) => SHARED.includes(name)));
  const policy = resolveOptions({ ...shared, protocols, closeTimeout: deadline }, DEFAULTS);
  return { policy, headers, agent, origin, protocols, deadline, rejectUnauthorized };
}

// The address under which supertest reaches an app, and so the one that its cookies belong to.
const SUPERTEST = { domain: '127.0.0.1', path: '/', script: false };

/** The headers of the handshake. */
export function headersOf(
  { headers, agent, protocols }: ClientSettings,
  { url, secure }: Way,
): OutgoingHttpHeaders {
  const all = { ...headers };
  if (protocols.length > 0) all['sec-websocket-protocol'] = protocols.join(', ');
  const cookies =
    agent?.jar.getCookies({ ...SUPERTEST, path: url.pathname, secure } as never).toValueString() ?? '';
  if (cookies === '') return all;
  const name = Object.keys(all).find((own) => own.toLowerCase() === 'cookie') ?? 'cookie';
  all[name] = [all[name] ?? [], cookies].flat().join('; ');
  return all;
}

/** Puts the cookies of an answer where the next request finds them, as a browser does. */
export function keepCookies({ agent }: ClientSettings, cookies: string[] | undefined): void {
  if (cookies !== undefined) agent?.jar.setCookies(cookies, SUPERTEST.domain, SUPERTEST.path);
}
