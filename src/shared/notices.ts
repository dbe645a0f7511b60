import type { IncomingMessage } from 'node:http';
import { debuglog } from 'node:util';
import { wholeUrl } from './whole-url.js';

/**
 * Prints one line for each handshake verdict, closed websocket and attached server.
 *
 * Prints only with `NODE_DEBUG=dwebsocket`. Without it, Node passes an empty function to the callback at the first call.
 */
export let debug = debuglog('dwebsocket', (optimized) => {
  debug = optimized as typeof debug;
});

/** Warns about at most this many details, because a client must not be able to fill a log. */
const MAX_DETAILS = 10;

const warned = new WeakMap<object, Map<string, Set<string>>>();

/**
 * Warns once for each subject and code. With `detail`, warns once for each of its first ten values.
 *
 * @param about The subject: a route's policy, or a server.
 */
export function warnOnce(about: object, code: string, message: string, detail = ''): void {
  const codes = warned.get(about) ?? new Map<string, Set<string>>();
  warned.set(about, codes);
  const details = codes.get(code) ?? new Set<string>();
  codes.set(code, details);
  if (details.size === MAX_DETAILS || details.has(detail)) return;
  details.add(detail);
  const end = details.size === MAX_DETAILS ? ' (the last warning of this kind here)' : '';
  process.emitWarning(message + end, { type: 'WebsocketWarning', code });
}

/** Returns the path of a request for warnings, without the query, which may hold a token. */
export function pathOf(req: IncomingMessage): string {
  return wholeUrl(req).replace(/\?.*/s, '');
}
