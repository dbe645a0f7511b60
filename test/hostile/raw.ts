import { onTestFinished } from 'vitest';
import { connectRaw, openRaw, type RawClient, type RawClientOptions } from '../support/raw-client.js';

/** A raw client with a websocket; whatever is left of it ends with the test. */
export async function open(port: number, path = '/', options: RawClientOptions = {}): Promise<RawClient> {
  return endWithTest(await openRaw(port, { path, ...options }));
}

/** A raw client that has sent its handshake, and may never get an answer. */
export async function knock(port: number, options: RawClientOptions = {}): Promise<RawClient> {
  return endWithTest(await connectRaw(port, options));
}

function endWithTest(client: RawClient): RawClient {
  onTestFinished(() => {
    client.destroy();
  });
  return client;
}
