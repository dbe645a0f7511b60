import { fileURLToPath } from 'node:url';
import type { Response } from 'express';

const root = fileURLToPath(new URL('public', import.meta.url));

/** Answers a plain HTTP request with the page of this name. */
export function sendPage(res: Response, name: string): void {
  res.sendFile(`${name}/index.html`, { root });
}
