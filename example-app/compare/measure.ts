import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createApp } from '../app.js';
import { openMeter } from './byte-meter.js';
import { clients, type Way } from './clients.js';
import { EventStream, now } from './event-stream.js';

export interface Settings {
  /** Events a second. */
  rate: number;
  /** Milliseconds between two polls. */
  interval: number;
  seconds: number;
}

/** The cost of one client that used one way. Delays are in milliseconds. */
export interface Result {
  way: Way;
  events: number;
  requests: number;
  up: number;
  down: number;
  medianDelay: number;
  longestDelay: number;
  /** In both directions, without the cost of connecting. */
  bitsPerSecond: number;
}

/**
 * Starts the app, and one client for each way at the same time. Reads the meter after a second, when all have connected,
 * and at the end.
 */
export async function measure({ rate, interval, seconds }: Settings): Promise<Result[]> {
  const server = createApp().listen(0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const client = randomUUID();
  const meter = openMeter(client);
  const controller = new AbortController();
  const { signal } = controller;
  // All begin after the newest event, so that earlier events cost nothing.
  const after = String(new EventStream(rate).newest);

  const runs = (Object.keys(clients) as Way[]).map((way) => {
    const delays: number[] = [];
    const url = new URL(`http://localhost:${port}/compare/`);
    url.search = new URLSearchParams({ client, way, rate: String(rate), after }).toString();
    const onEvent = ({ at }: { at: number }) => delays.push(now() - at);
    const ended = clients[way]({ url, interval, signal, onEvent }).catch((error: unknown) => {
      // The abort below ends all clients with an error.
      if (!signal.aborted) throw error;
    });
    return { way, delays, ended };
  });

  const failed = Promise.all(runs.map(({ ended }) => ended));
  await Promise.race([sleep(1000), failed]);
  const connected = meter.read();
  await Promise.race([sleep(seconds * 1000), failed]);
  const costs = meter.read();
  controller.abort();
  await failed;
  meter.close();
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;

  return runs.map(({ way, delays }) => {
    const { requests = 0, up = 0, down = 0 } = costs[way] ?? {};
    const before = connected[way] ?? { up: 0, down: 0 };
    const sorted = delays.sort((a, b) => a - b);
    return {
      way,
      events: delays.length,
      requests,
      up,
      down,
      medianDelay: sorted[Math.floor(sorted.length / 2)] ?? NaN,
      longestDelay: sorted.at(-1) ?? NaN,
      bitsPerSecond: ((up - before.up + down - before.down) * 8) / seconds,
    };
  });
}
