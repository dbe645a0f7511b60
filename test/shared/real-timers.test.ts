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

test('with a fake clock a silent peer still times out, and a live peer does not look dead', async () => {
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
  // The fake clock has advanced ten minutes, but not the clock of the heartbeat (25 seconds).
  await client.flush();
  expect(websocket.isClosed()).toBe(false);
  silent.destroy();
});

test('with a fake clock a peer that does not answer our close frame is disconnected, and no timer is left', async () => {
  const { websocket, client } = await openPair({ closeTimeout: 30 });
  const answering = await openPair();
  client.ws.pause();
  vi.useFakeTimers();
  void websocket.close(4000);
  void answering.websocket.close(4000);
  expect(vi.getTimerCount()).toBe(0);
  expect(await within(websocket.closed, 'end')).toMatchObject({ code: 4000, wasClean: false });
  expect(await within(answering.websocket.closed, 'end')).toMatchObject({ code: 4000, wasClean: true });
});

test('the delays of sleep() and wait() follow the fake clock', async () => {
  const { websocket } = await openPair();
  vi.useFakeTimers();
  const delays = Promise.all([websocket.sleep(60_000), websocket.wait(60_000)]);
  vi.advanceTimersByTime(60_000);
  expect(await delays).toEqual([true, null]);
});
