import { debuglog } from 'node:util';

/** One line for each verdict, end and attach, printed with `NODE_DEBUG=dwebsocket` and free without. */
export const debug = debuglog('dwebsocket');

const told = new WeakMap<object, Set<string>>();

/** Says something once for each `about` (a route's policy, a server): a client must not be able to fill a log. */
export function warnOnce(about: object, code: string, message: string): void {
  let codes = told.get(about);
  if (codes === undefined) told.set(about, (codes = new Set()));
  if (codes.has(code)) return;
  codes.add(code);
  process.emitWarning(message, { type: 'WebsocketWarning', code });
}
