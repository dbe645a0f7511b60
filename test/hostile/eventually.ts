import { DEADLINE } from '../support/inbox.js';

/** Looks once a turn of the event loop; for what has no event of its own, such as a buffer that is full. */
export async function eventually(condition: () => boolean, what: string, deadline = DEADLINE): Promise<void> {
  const end = performance.now() + deadline;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${deadline} ms: ${what}`);
    await new Promise(setImmediate);
  }
}
