import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect } from 'vitest';
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

/** How an exchange ends whose response finishes, and one whose response is cut off. */
export const FINISHED = ['finish 101', 'req closed', 'res closed'];
export const CUT_OFF = ['req closed', 'res closed'];

/** Expects that the next events are these, in any order. */
export async function expectEnd(events: Inbox<string>, ends: readonly string[]): Promise<void> {
  const seen: string[] = [];
  while (seen.length < ends.length) seen.push(await events.next('end of the exchange'));
  expect(seen.sort()).toEqual(ends);
}

/** Resolves when the event loop has turned often enough for what is under way to come. */
export async function waitTurns(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}
