import { afterEach, expect, test, vi } from 'vitest';
import { requireWebsocket } from 'dwebsocket';
import { defer, within } from '../support/inbox.js';
import { openPair } from '../support/pair.js';
import { openRaw } from '../support/raw-client.js';
import { Opcode } from '../support/raw-frames.js';
import { serve } from '../support/serve.js';

afterEach(() => {
  vi.useRealTimers();
});

test("under a test's fake clock a silent peer still times out, and a live one does not look dead", async () => {
  const closed = defer<unknown>();
  const site = await serve(
    requireWebsocket(async ({ websocket }) => closed.resolve(await websocket.closed), { heartbeat: 20 }),
  );
  const { websocket, client } = await openPair();
  vi.useFakeTimers();
  const silent = await openRaw(site.port);
  vi.advanceTimersByTime(10 * 60_000);
  expect(await within(closed.promise, 'end')).toMatchObject({ code: 1006 });
  await silent.end();
  expect(silent.framesOf(Opcode.ping)).toHaveLength(2);
  // Ten minutes have passed for the test, and no time for the websocket with the heartbeat of 25 seconds.
  await client.flush();
  expect(websocket.isClosed()).toBe(false);
  silent.destroy();
});

test("under a test's fake clock a peer that does not answer our close frame is cut off, and no timer is left", async () => {
  const { websocket, client } = await openPair({ closeTimeout: 30 });
  const honest = await openPair();
  client.ws.pause();
  vi.useFakeTimers();
  void websocket.close(4000);
  void honest.websocket.close(4000);
  expect(vi.getTimerCount()).toBe(0);
  expect(await within(websocket.closed, 'end')).toMatchObject({ code: 4000, wasClean: false });
  expect(await within(honest.websocket.closed, 'end')).toMatchObject({ code: 4000, wasClean: true });
});

test('the delays that a handler asks for follow the fake clock', async () => {
  const { websocket } = await openPair();
  vi.useFakeTimers();
  const delays = Promise.all([websocket.sleep(60_000), websocket.wait(60_000)]);
  vi.advanceTimersByTime(60_000);
  expect(await delays).toEqual([true, null]);
});
