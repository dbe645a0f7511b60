import type { IncomingMessage, ServerResponse } from 'node:http';
import { parse } from 'node:querystring';

/**
 * Puts on a request what Express, and what an app, would have put there before the handler: of Express the facts that
 * follow from the request alone, and of the app the fields that the test gives, which come first.
 */
export function dress(req: IncomingMessage, res: ServerResponse, fields: Record<string, unknown>): void {
  const { locals = {}, ...rest } = fields;
  const { url = '/', headers } = req;
  // As Express does it, and not as a URL: a path such as //a is a path.
  const mark = url.indexOf('?');
  const get = (name: string): unknown => {
    const lower = name.toLowerCase();
    // One header, of which two spellings are in use.
    return /^referr?er$/.test(lower) ? headers['referrer'] || headers.referer : headers[lower];
  };
  put(req, {
    params: {},
    query: mark === -1 ? {} : parse(url.slice(mark + 1)),
    path: mark === -1 ? url : url.slice(0, mark),
    originalUrl: url,
    baseUrl: '',
    ip: req.socket.remoteAddress,
    ips: [],
    protocol: 'http',
    secure: rest['protocol'] === 'https',
    host: headers.host,
    hostname: /^(?:\[[^\]]*\]|[^:]*)/.exec(headers.host ?? '')?.[0],
    get,
    header: get,
    res,
    ...rest,
  });
  put(res, { locals });
}

function put(target: object, fields: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    Object.defineProperty(target, name, { value, configurable: true, enumerable: true, writable: true });
  }
}
