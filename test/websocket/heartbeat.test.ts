import { describe, expect, test } from 'vitest';
import { requireWebsocket, type WebsocketOptions } from 'dwebsocket';
import {
  Heartbeat,
  startHeartbeat,
  stopHeartbeat,
  type HeartbeatTarget,
} from '../../src/websocket/heartbeat.js';
import { defer, Inbox, within } from '../support/inbox.js';
import { openRaw } from '../support/raw-client.js';
import { Opcode, pong } from '../support/raw-frames.js';
import { serve } from '../support/serve.js';

/** Opens a client that never answers pings. `closed` tells how its websocket ends. */
async function openSilentClient(options: WebsocketOptions) {
  const closed = defer<unknown>();
  const site = await serve(
    requireWebsocket(async ({ websocket }) => closed.resolve(await websocket.closed), options),
  );
  return { client: await openRaw(site.port), closed: closed.promise };
}

describe('a websocket', () => {
  test('gets a ping after a silent interval, and ends after two pings without an answer', async () => {
    const { client, closed } = await openSilentClient({ heartbeat: 20 });
    expect(await within(closed, 'end')).toEqual({ code: 1006, reason: '', wasClean: false });
    await client.end();
    expect(client.frames.map(({ opcode }) => opcode)).toEqual([Opcode.ping, Opcode.ping]);
  });

  test('stays open while its peer answers', async () => {
    const { client } = await openSilentClient({ heartbeat: 20 });
    for (let answered = 0; answered < 5; answered++) {
      const ping = (await client.nextFrame())!;
      expect(ping.opcode).toBe(Opcode.ping);
      client.write(pong(ping.payload));
    }
    client.destroy();
  });

  test('gets no ping when the heartbeat is off', async () => {
    // The pings of another websocket show that eight of its intervals have passed.
    const silent = await openSilentClient({ heartbeat: false });
    const other = await openSilentClient({ heartbeat: 10 });
    for (let i = 0; i < 8; i++) other.client.write(pong((await other.client.nextFrame())!.payload));
    expect(silent.client.frames).toEqual([]);
    silent.client.destroy();
    other.client.destroy();
  });
});

/** Creates a target that records what the heartbeat does to it. */
function newTarget(isPaused = false) {
  const events = new Inbox<string>();
  const target = {
    isPaused,
    ping: () => events.push('ping'),
    terminate: () => {
      events.push('terminate');
    },
  } satisfies HeartbeatTarget;
  return { target, events };
}

describe('the heartbeat', () => {
  test('accepts any byte of the peer, not only a pong', async () => {
    const { target, events } = newTarget();
    let bytesRead = 0;
    const heartbeat = new Heartbeat(20, target, {
      get bytesRead() {
        return bytesRead;
      },
    });
    startHeartbeat(heartbeat);
    for (let i = 0; i < 5; i++) {
      expect(await events.next()).toBe('ping');
      bytesRead++;
    }
    expect([await events.next(), await events.next(), await events.next()]).toEqual([
      'ping',
      'ping',
      'terminate',
    ]);
    stopHeartbeat(heartbeat);
  });

  test('requires no pong while reading is paused, but continues to ping', async () => {
    const { target, events } = newTarget(true);
    const heartbeat = new Heartbeat(8, target, { bytesRead: 0 });
    startHeartbeat(heartbeat);
    for (let i = 0; i < 10; i++) expect(await events.next()).toBe('ping');
    // After reading has resumed, the peer can miss two pings, like any other.
    target.isPaused = false;
    const seen: string[] = [];
    while (seen.at(-1) !== 'terminate') seen.push(await events.next());
    expect(seen.filter((event) => event === 'ping').length).toBeLessThanOrEqual(2);
    stopHeartbeat(heartbeat);
  });

  test('stops at once, even between other heartbeats', async () => {
    const [first, second, third] = [newTarget(), newTarget(), newTarget()];
    const heartbeats = [first, second, third].map(
      ({ target }) => new Heartbeat(10, target, { bytesRead: 0 }),
    );
    for (const heartbeat of heartbeats) startHeartbeat(heartbeat);
    stopHeartbeat(heartbeats[1]!);
    stopHeartbeat(heartbeats[1]!);
    expect([await first.events.next(), await third.events.next()]).toEqual(['ping', 'ping']);
    expect(second.events.rest()).toEqual([]);
    for (const heartbeat of heartbeats) stopHeartbeat(heartbeat);
  });
});
