import type { IncomingMessage } from 'node:http';
import { debuglog } from 'node:util';

/** One line for each verdict, end and attach, printed with `NODE_DEBUG=dwebsocket` and free without. */
export const debug = debuglog('dwebsocket');

/** How many details of one warning are told; a client must not be able to fill a log. */
const MAX_DETAILS = 10;

const told = new WeakMap<object, Map<string, Set<string>>>();

/**
 * Warns once for each `about` (a route's policy, a server), or once for each of the first ten values of `detail` there.
 */
export function warnOnce(about: object, code: string, message: string, detail = ''): void {
  const codes = told.get(about) ?? new Map<string, Set<string>>();
  told.set(about, codes);
  const details = codes.get(code) ?? new Set<string>();
  codes.set(code, details);
  if (details.size === MAX_DETAILS || details.has(detail)) return;
  details.add(detail);
  const end = details.size === MAX_DETAILS ? ' (the last warning of this kind here)' : '';
  process.emitWarning(message + end, { type: 'WebsocketWarning', code });
}

/** The path of a request, for warnings: a query may hold a token. */
export function pathOf(req: IncomingMessage): string {
  // Express shortens the URL of a request for a mounted router.
  const { originalUrl = req.url } = req as { originalUrl?: string };
  return (originalUrl ?? '').replace(/\?.*/s, '');
}
