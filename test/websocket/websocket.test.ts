import { afterEach, describe, expect, test, vi } from 'vitest';
import { acceptWebsocket, Websocket, WebsocketClosedError } from 'dwebsocket';
import { connect } from '../support/client.js';
import { openPair } from '../support/pair.js';
import { serve } from '../support/serve.js';

afterEach(() => {
  vi.useRealTimers();
});

describe('sleep', () => {
  test('resolves with true after the delay', async () => {
    const { websocket } = await openPair();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const sleeping = websocket.sleep(60_000);
    vi.advanceTimersByTime(60_000);
    expect(await sleeping).toBe(true);
    vi.useRealTimers();
    expect(await websocket.sleep(0)).toBe(true);
  });

  test('all pending calls resolve with false at once when the websocket closes', async () => {
    const { websocket, client } = await openPair();
    const sleeps = [websocket.sleep(60_000), websocket.sleep(2 ** 31 - 1)];
    await client.close();
    expect(await Promise.all(sleeps)).toEqual([false, false]);
  });

  test('resolves with false once after the close, then rejects, and wait() still resolves with null', async () => {
    const { websocket, client } = await openPair();
    await client.close();
    await websocket.closed;
    expect(await websocket.sleep(1_000)).toBe(false);
    await expect(websocket.sleep(1_000)).rejects.toMatchObject({
      code: 'ERR_WEBSOCKET_CLOSED',
      closeCode: 1005,
    });
    expect(await websocket.wait()).toBeNull();
    await expect(websocket.sleep(0)).rejects.toBeInstanceOf(WebsocketClosedError);
  });

  test('rejects after a pending call has reported the close', async () => {
    const { websocket, client } = await openPair();
    const sleeping = websocket.sleep(60_000);
    await client.close();
    expect(await sleeping).toBe(false);
    await expect(websocket.sleep(1)).rejects.toBeInstanceOf(WebsocketClosedError);
  });

  test('throws for an invalid delay', async () => {
    const { websocket } = await openPair();
    expect(() => websocket.sleep(-1)).toThrow(RangeError);
    expect(() => websocket.sleep(2 ** 31)).toThrow(RangeError);
    expect(() => websocket.sleep(undefined as never)).toThrow(TypeError);
    expect(() => websocket.sleep(0.5)).toThrow(RangeError);
    expect(() => websocket.sleep(0.5)).toThrow('For 0.5 seconds, write sleep(500)');
  });
});

describe('request and protocol', () => {
  test('return the request and the subprotocol of the handshake', async () => {
    const { websocket, req } = await openPair({ protocols: ['chat'] }, { protocols: ['superchat', 'chat'] });
    expect(websocket.request).toBe(req);
    expect(websocket.protocol).toBe('chat');
  });

  test('protocol is empty when no subprotocol was negotiated', async () => {
    const { websocket } = await openPair({ protocols: ['chat'] });
    expect(websocket.protocol).toBe('');
  });
});

describe('identity', () => {
  test('req.websocket is the same instance of Websocket each time', async () => {
    const { websocket, req } = await openPair();
    const { websocket: again } = req as typeof req & { websocket: Websocket };
    expect(again).toBe(websocket);
    expect(again).toBeInstanceOf(Websocket);
    expect(new Set([websocket, again]).size).toBe(1);
    expect(new Map([[websocket, 'name']]).get(again)).toBe('name');
  });

  test('the constructor throws for users', () => {
    expect(() => new (Websocket as unknown as new () => unknown)()).toThrow(TypeError);
  });
});

test('another route can use a stored req', async () => {
  const stored = new Map<string, { websocket: Websocket | null }>();
  const route = acceptWebsocket(async (req, res) => {
    const name = req.url;
    if (req.isWebsocket()) {
      stored.set(name, req);
      await req.websocket.closed;
      stored.delete(name);
    } else {
      res.end(String(await stored.get(name)?.websocket?.send('pushed')));
    }
  });
  const site = await serve(route as Parameters<typeof serve>[0]);
  const client = await connect(site, '/device');
  const answer = await fetch(`http://127.0.0.1:${site.port}/device`);
  expect(await answer.text()).toBe('true');
  expect(await client.next()).toBe('pushed');
});
