import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import type { Tell } from '../app.js';

/** Fetches from a server that does not answer; as many libraries do, it puts an error around that of `fetch`. */
export async function fetchInVain(signal: AbortSignal, tell: Tell): Promise<void> {
  const server = createServer(() => tell('asked')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { signal });
  } catch (cause) {
    tell('ended');
    throw new Error('the answer did not come', { cause });
  }
}
