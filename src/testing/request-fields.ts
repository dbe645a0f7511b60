import type { IncomingMessage, ServerResponse } from 'node:http';
import { parse } from 'node:querystring';

/**
 * Adds the fields to a request that Express and the app would have added before the handler.
 *
 * The fields of Express are those that follow from the request alone. The test gives the fields of the app, which override
 * those of Express.
 */
export function addRequestFields(
  req: IncomingMessage,
  res: ServerResponse,
  fields: Record<string, unknown>,
): void {
  const { locals = {}, ...rest } = fields;
  const { url = '/', headers } = req;
  // Split like Express does, because `new URL` would take a path such as //a for a host.
  const mark = url.indexOf('?');
  const get = (name: string): unknown => {
    const lower = name.toLowerCase();
    // Two spellings of this header are in use.
    return /^referr?er$/.test(lower) ? headers['referrer'] || headers.referer : headers[lower];
  };
  assignFields(req, {
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
  assignFields(res, { locals });
}

function assignFields(target: object, fields: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    Object.defineProperty(target, name, { value, configurable: true, enumerable: true, writable: true });
  }
}
