import type { OutgoingHttpHeaders } from 'node:http';
import { checkNames, checkTime } from '../options/checks.js';
import type { AnyOptions, MessageFormat, MessageKind } from '../options/options.js';
import { resolveOptions, type Policy } from '../options/policy.js';
import type { WebsocketOptions } from '../routes/websocket-options.js';
import { describe, optionError } from '../shared/errors.js';
import type { SchemaIssue, StandardSchema } from '../shared/standard-schema.js';
import { describeInvalid } from '../values/issues.js';
import { DEFAULT_DEADLINE } from './deadline.js';
import { WebsocketExpectationError } from './errors.js';
import type { Endpoint } from './target.js';

/** Describes a supertest agent. Only its cookie jar is used. */
export interface Agent {
  readonly jar: {
    getCookies(access: never): { toValueString(): string };
    setCookies(cookies: string[], domain?: string, path?: string): unknown;
  };
}

const SHARED = [
  'messages',
  'sends',
  'invalid',
  'maxPayload',
  'maxQueue',
  'highWaterMark',
  'maxBuffered',
  'perMessageDeflate',
] as const;
type Shared = (typeof SHARED)[number];

/**
 * Lists the options of `connect`. Options that a route has, too, mean the same here, and have the same defaults, except that
 * `maxPayload` and `maxQueue` are 100 MiB.
 */
export interface ConnectOptions<
  Format extends MessageFormat = MessageKind,
  Sends extends StandardSchema = StandardSchema,
> extends Pick<WebsocketOptions<Format, Sends>, Shared> {
  /** Sets headers of the handshake, such as `{ cookie, authorization: 'Bearer …' }`. */
  headers?: OutgoingHttpHeaders | undefined;
  /** Sends the cookies of a supertest agent, and stores the cookies of the response in its jar. */
  agent?: Agent | undefined;
  /**
   * Sets the `Origin` header, as a browser does.
   *
   * @default none
   */
  origin?: string | undefined;
  /**
   * Lists the subprotocols to offer. If the route selects none, the websocket has none. A browser would fail then.
   *
   * @default [] (none)
   */
  protocols?: readonly string[] | undefined;
  /**
   * Limits the milliseconds of the handshake, and of each wait without its own timeout.
   *
   * @default 1_000
   */
  deadline?: number | undefined;
  /**
   * Requires a certificate from a known authority.
   *
   * @default false for a server, true for a URL
   */
  rejectUnauthorized?: boolean | undefined;
}

/** Describes the options of a client of any format. */
export type AnyConnectOptions = Omit<ConnectOptions, keyof AnyOptions> & AnyOptions;

export interface ClientSettings {
  readonly policy: Policy;
  readonly headers: OutgoingHttpHeaders;
  readonly agent: Agent | undefined;
  readonly origin: string | undefined;
  readonly protocols: readonly string[];
  readonly deadline: number;
  readonly rejectUnauthorized: boolean | undefined;
}

const OWN = ['headers', 'agent', 'origin', 'protocols', 'deadline', 'rejectUnauthorized'];

// A test client accepts large messages, as a browser does.
const LARGE = 100 * 2 ** 20;
const DEFAULTS = resolveOptions({ heartbeat: false, maxPayload: LARGE, maxQueue: LARGE });

/** @throws {WebsocketOptionError} An option is wrong or unknown. The error names the option, the rule and the value. */
export function resolveConnectOptions(options: AnyConnectOptions): ClientSettings {
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
  const shared = Object.fromEntries(
    Object.entries(options).filter(([name]) => SHARED.includes(name as never)),
  );
  const policy = failOnInvalid(resolveOptions({ ...shared, protocols, closeTimeout: deadline }, DEFAULTS));
  return { policy, headers, agent, origin, protocols, deadline, rejectUnauthorized };
}

/** Lets a wait of the test fail when the server has sent a message that does not fit. */
function failOnInvalid(policy: Policy): Policy {
  const { values } = policy;
  if (values === undefined || values.invalid !== undefined) return policy;
  const invalid = (issues: readonly SchemaIssue[], _websocket: unknown, text: string): never => {
    const came = `the server sent ${describe(text)}, an ${describeInvalid(issues)}`;
    throw new WebsocketExpectationError('a message that fits the option messages', came);
  };
  return { ...policy, values: { ...values, invalid } };
}

// supertest reaches an app at this address, so its cookies belong to it.
const SUPERTEST = { domain: '127.0.0.1', path: '/', script: false };

/** Returns the headers of the handshake. */
export function headersOf(
  { headers, agent, protocols }: ClientSettings,
  { url, secure }: Endpoint,
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

/** Stores the cookies of a response for the next request, as a browser does. */
export function keepCookies({ agent }: ClientSettings, cookies: string[] | undefined): void {
  if (cookies !== undefined) agent?.jar.setCookies(cookies, SUPERTEST.domain, SUPERTEST.path);
}
