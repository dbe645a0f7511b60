import { describe, expect, test } from 'vitest';
import { requireWebsocket, WebsocketClosedError, type Websocket } from 'dwebsocket';
import { defer, within } from '../support/inbox.js';
import { openPair } from '../support/pair.js';
import { openRaw } from '../support/raw-client.js';
import { Opcode, pong, text } from '../support/raw-frames.js';
import { serve } from '../support/serve.js';

/** Opens a websocket whose peer sends only the pongs that the test sends. */
async function openSilentPair() {
  const arrived = defer<Websocket>();
  const site = await serve(
    requireWebsocket(async ({ websocket }) => {
      arrived.resolve(websocket);
      await websocket.closed;
    }),
  );
  const client = await openRaw(site.port);
  return { client, websocket: await arrived.promise };
}

describe('ping', () => {
  test('resolves with the round-trip time in milliseconds', async () => {
    const { websocket } = await openPair();
    const roundTrip = await websocket.ping();
    expect(roundTrip).toBeGreaterThan(0);
    expect(roundTrip).toBeLessThan(5_000);
  });

  test('rejects with WebsocketClosedError when the websocket closes first', async () => {
    const { client, websocket } = await openSilentPair();
    const pings = [websocket.ping(), websocket.ping()];
    await client.until(() => client.framesOf(Opcode.ping).length === 2, 'two pings');
    client.destroy();
    for (const ping of pings) await expect(ping).rejects.toBeInstanceOf(WebsocketClosedError);
  });

  test('rejects on a closed websocket, on a later turn', async () => {
    const { websocket, client } = await openPair();
    await client.close(4000, 'gone');
    await websocket.closed;
    let isLater = false;
    process.nextTick(() => (isLater = true));
    await expect(websocket.ping()).rejects.toMatchObject({ code: 'ERR_WEBSOCKET_CLOSED', closeCode: 4000 });
    expect(isLater).toBe(true);
  });

  test('does not end the process when it fails without await', async () => {
    const { websocket, client } = await openSilentPair();
    void websocket.ping();
    client.destroy();
    await websocket.closed;
    await new Promise((resolve) => setImmediate(resolve)); // an unhandled rejection would fail the run
    expect(websocket.isClosed()).toBe(true);
  });

  test('resolves only with its own pong; one pong answers all earlier pings', async () => {
    const { client, websocket } = await openSilentPair();
    const answered: number[] = [];
    const pings = [1, 2, 3].map((i) => websocket.ping().then(() => answered.push(i)));
    await client.until(() => client.framesOf(Opcode.ping).length === 3, 'three pings');
    const payloads = client.framesOf(Opcode.ping).map(({ payload }) => payload);
    expect(new Set(payloads.map(String)).size).toBe(3);
    client.write(pong('nobody asked'), pong(''), pong(payloads[1]), text('behind'));
    expect(await within(websocket.wait(), 'message')).toBe('behind');
    expect(answered).toEqual([1, 2]);
    client.write(pong(payloads[1]), pong(payloads[2]));
    await within(Promise.all(pings), 'answers');
    expect(answered).toEqual([1, 2, 3]);
    client.destroy();
  });

  test('allows a thousand pending pings, and rejects one more', async () => {
    const { client, websocket } = await openSilentPair();
    for (let i = 0; i < 1_000; i++) void websocket.ping();
    await expect(websocket.ping()).rejects.toThrow(RangeError);
    await expect(websocket.ping()).rejects.toThrow('await ping() before you call it again');
    // Without await, this must not be an unhandled rejection.
    void websocket.ping();
    await new Promise(setImmediate);
    client.destroy();
  });
});
