import { expect, test } from 'vitest';
import { Websocket, WebsocketClosedError } from 'dwebsocket';
import type { TestClient } from 'dwebsocket/testing';
import { commonContract } from '../support/common-contract.js';
import type { Ends, Open } from './transports.js';

/** The methods that `req.websocket` and the test client have in common. */
type End = Websocket | TestClient;

/** The end under test, and its peer. */
type Choose = (ends: Ends) => { end: End; peer: End };

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Resolves when `peer` has received everything from `end`, because the pong comes after it. */
const settle = async (end: End) => {
  await end.ping();
};

/** Registers tests that both ends of a websocket must pass on every transport. */
export function websocketContract(open: Open, choose: Choose): void {
  const openEnds = async (...options: Parameters<Open>) => choose(await open(...options));

  commonContract(openEnds);

  test('bytes arrive as a Buffer', async () => {
    const { end, peer } = await openEnds();
    peer.send(Buffer.from([0, 255]));
    expect(await end.wait()).toEqual(Buffer.from([0, 255]));
  });

  test('compressed messages arrive unchanged', async () => {
    const perMessageDeflate = { threshold: 0 };
    const { end, peer } = await openEnds({ perMessageDeflate }, { perMessageDeflate });
    end.send('x'.repeat(10_000));
    end.send('short');
    expect(await peer.wait()).toBe('x'.repeat(10_000));
    expect(await peer.wait()).toBe('short');
  });

  test('a lost connection closes with 1006', async () => {
    const { server, client } = await open();
    client.terminate();
    expect(await server.wait()).toBeNull();
    const info = { code: 1006, reason: '', wasClean: false };
    expect([await server.closed, await client.closed]).toEqual([info, info]);
  });

  test('ping measures the round trip, and rejects when it closes first', async () => {
    const { end, peer } = await openEnds();
    const [roundTrip] = await Promise.all([end.ping(), end.ping()]);
    expect(roundTrip).toBeGreaterThan(0);
    await peer.close();
    await expect(end.ping()).rejects.toThrow(WebsocketClosedError);
  });

  test('sleep resolves with true, and once with false when it closes', async () => {
    const { end, peer } = await openEnds();
    expect(await end.sleep(1)).toBe(true);
    const sleeping = end.sleep(60_000);
    void peer.close();
    expect(await sleeping).toBe(false);
    await expect(end.sleep(1)).rejects.toThrow(WebsocketClosedError);
  });

  test('ignoreMessages drops unread and later messages', async () => {
    const { end, peer } = await openEnds();
    peer.send('before');
    await settle(peer);
    end.ignoreMessages();
    peer.send('after');
    await settle(peer);
    expect(end.countMessages()).toBe(0);
  });

  test('a peer that never reads is disconnected above maxBuffered', async () => {
    const small = { maxQueue: 1_000, highWaterMark: 1_000, maxBuffered: 300_000 };
    const { end } = await openEnds(small, small);
    const message = Buffer.alloc(200_000);
    let isOpen = true;
    for (let i = 0; isOpen && i < 10_000; i++)
      isOpen = await Promise.race([end.send(message), nextTurn().then(() => true)]);
    expect(isOpen).toBe(false);
    expect((await end.closed).code).toBe(1006);
  });

  test('a message of the wrong kind closes it with 1003', async () => {
    const { end, peer } = await openEnds({ messages: 'text' }, { messages: 'text' });
    peer.send(Buffer.from('binary'));
    expect((await end.closed).code).toBe(1003);
    expect((await peer.closed).code).toBe(1003);
  });

  test('a message above maxPayload closes it with 1009', async () => {
    const { end, peer } = await openEnds({ maxPayload: 1_000 }, { maxPayload: 1_000 });
    peer.send('x'.repeat(1_001));
    expect((await end.closed).code).toBe(1009);
  });
}
