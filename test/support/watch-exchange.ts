import type { IncomingMessage, ServerResponse } from 'node:http';
import { Inbox } from './inbox.js';

/** A middleware that notes how an exchange ends, for apps of any framework and for bare servers. */
export function watchExchange() {
  const events = new Inbox<string>();
  const watch = (req: IncomingMessage, res: ServerResponse, next: () => void) => {
    res.on('finish', () => events.push(`finish ${res.statusCode}`));
    res.on('close', () => events.push('res closed'));
    req.on('close', () => events.push('req closed'));
    next();
  };
  return { watch, events };
}

/** Resolves when the event loop has turned often enough for what is under way to come. */
export async function waitTurns(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}
