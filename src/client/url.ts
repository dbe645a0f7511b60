import { page } from './page.js';
import type { PlatformUrl } from './types.js';

/**
 * Returns the URL for the class `WebSocket`. Older browsers take only absolute ones that begin with `ws`.
 *
 * @param since The id of the last message, if there is one.
 * @throws {TypeError} It is not a URL.
 */
export function resolveUrl(url: string | PlatformUrl, since?: unknown): string {
  try {
    const resolved = new URL((url as Partial<PlatformUrl>).href ?? url, page.location?.href);
    resolved.protocol = resolved.protocol.replace('http', 'ws');
    resolved.hash = '';
    if (since != null) resolved.searchParams.set('since', since as string);
    if (/^wss?:/.test(resolved.href)) return resolved.href;
  } catch {
    // Thrown below, with a text that helps.
  }
  throw new TypeError(`no URL: "${url as string}"; try wss://host`);
}
