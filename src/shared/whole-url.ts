import type { IncomingMessage } from 'node:http';

/** Returns the URL as the client sent it. In a mounted router, Express and Connect shorten `req.url`. */
export function wholeUrl(req: IncomingMessage): string {
  return (req as { originalUrl?: string }).originalUrl ?? req.url ?? '';
}
