import type { SchemaIssue, StandardSchema } from '../shared/standard-schema.js';
import { createError, isWhole } from './errors.js';
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
  readonly maxQueue: number;
  readonly highWaterMark: number;
  readonly WebSocket: new (url: string, protocols: readonly string[]) => Socket;
}

export type AnyOptions = { readonly [Name in keyof Settings]?: Settings[Name] | undefined };

/** The default of the option `stop`. 408, 425 and 429 mean that a later attempt may succeed. */
const isFinal = ({ code, reason }: CloseInfo): boolean =>
  code === 1000 ||
  code === 1008 ||
  (code >= 4400 && code < 4500) ||
  /^refused with 4(?!08|25|29)/.test(reason);

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
    maxQueue: 2 ** 24,
    highWaterMark: 2 ** 16,
    WebSocket: (globalThis as { WebSocket?: unknown }).WebSocket,
  };
  for (const [name, value] of Object.entries(options)) {
    if (!(name in settings)) throw optionError(`unknown option "${name}"`);
    if (typeof settings[name] === 'number' && value !== undefined && !isWhole(value, 1))
      throw optionError(`option "${name}" must be a whole number from 1 to 2 ** 31 - 1`, RangeError);
    settings[name] = value ?? settings[name];
  }
  const { messages, stamp, welcome, sends, invalid, WebSocket } = settings as unknown as Settings;
  if (!isForValues(messages) && (typeof stamp === 'string' || welcome || sends || invalid))
    throw optionError(
      `options "welcome", "sends", "invalid" and a field name as "stamp" need messages: 'json' or a schema`,
    );
  if (!(WebSocket as unknown))
    throw optionError(
      "no global WebSocket here: import { WebSocket } from 'ws', and connect(url, { WebSocket })",
    );
  return settings as unknown as Settings;
}

/** Returns whether messages are values. */
export const isForValues = (messages: ClientMessageFormat): messages is 'json' | StandardSchema =>
  messages === 'json' || typeof messages !== 'string';

const optionError = (message: string, Kind?: ErrorConstructor): Error => createError(message, Kind, 'OPTION');
