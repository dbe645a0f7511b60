import type { SchemaIssue, StandardSchema } from '../shared/standard-schema.js';
import { checkWhole } from './check-whole.js';
import type { Socket } from './socket.js';
import type { ClientMessageFormat, CloseInfo, HistoryStart } from './types.js';

/** The options of a client of any format, with their defaults. */
export interface Settings {
  readonly messages: ClientMessageFormat;
  readonly sends: StandardSchema | undefined;
  readonly invalid: ((issues: readonly SchemaIssue[], socket: unknown, data: unknown) => unknown) | undefined;
  readonly protocols: readonly string[];
  readonly stamp: string | ((message: unknown) => unknown) | undefined;
  readonly welcome: ((start: HistoryStart) => unknown) | undefined;
  readonly stop: (close: CloseInfo) => boolean;
  readonly minPause: number;
  readonly maxPause: number;
  readonly connectTimeout: number;
  readonly closeTimeout: number;
  readonly maxBuffered: number;
  readonly WebSocket: new (url: string, protocols: readonly string[]) => Socket;
}

export type AnyOptions = { readonly [Name in keyof Settings]?: Settings[Name] | undefined };

/** The default of the option `stop`. After 408, 425 and 429, a later attempt may succeed. */
const isFinal = ({ code, reason }: CloseInfo): boolean =>
  /^(100[08]|44|1006 refused with 4(?!08|25|29))/.test(`${code} ${reason}`);

/** @throws {TypeError | RangeError} An option is wrong or unknown. */
export function resolveOptions(options: AnyOptions): Settings {
  const settings: Record<string, unknown> = {
    messages: 'both',
    sends: undefined,
    invalid: undefined,
    protocols: [],
    stamp: undefined,
    welcome: undefined,
    stop: isFinal,
    minPause: 1_000,
    maxPause: 30_000,
    connectTimeout: 10_000,
    closeTimeout: 5_000,
    maxBuffered: 2 ** 20,
    WebSocket: (globalThis as { WebSocket?: unknown }).WebSocket,
  };
  for (const [name, value] of Object.entries(options)) {
    if (!(name in settings)) throw new TypeError(`unknown option "${name}"`);
    if (value === undefined) continue;
    if (typeof settings[name] === 'number') checkWhole(value, name, 1);
    settings[name] = value;
  }
  const { messages, stamp, welcome, WebSocket } = settings as unknown as Settings;
  if (!isForValues(messages) && (typeof stamp === 'string' || welcome))
    throw new TypeError('stamp and welcome need messages: "json"');
  if (!(WebSocket as unknown)) throw new TypeError('no WebSocket; pass that of ws');
  return settings as unknown as Settings;
}

/** Returns whether messages are values. */
export const isForValues = (messages: ClientMessageFormat): messages is 'json' | StandardSchema =>
  messages === 'json' || typeof messages !== 'string';
