import { describe, expect, test, vi } from 'vitest';
import { openPair } from '../support/pair.js';

// The longest string in Node has 512 MiB. A longer one would throw an uncaught error.
vi.mock('node:buffer', async (load) => {
  const { constants, ...others } = await load<typeof import('node:buffer')>();
  return { ...others, constants: { ...constants, MAX_STRING_LENGTH: 1_000 } };
});

describe.each([false, true])('a text that is too long for a string (compression: %s)', (deflate) => {
  test('closes with 1009, even if maxPayload allows it', async () => {
    const { websocket, client } = await openPair(
      { perMessageDeflate: deflate },
      { perMessageDeflate: deflate },
    );
    client.send('x'.repeat(1_000), Buffer.alloc(1_001), 'x'.repeat(1_001));
    expect(await client.closed()).toEqual({ code: 1009, reason: 'a text may have at most 1000 bytes' });
    expect([await websocket.wait(), await websocket.wait(), await websocket.wait()]).toEqual([
      'x'.repeat(1_000),
      Buffer.alloc(1_001),
      null,
    ]);
  });
});
