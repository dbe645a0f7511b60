import { expect } from 'vitest';
import { connect, type Client } from '../../../test/support/client.js';
import { requestUpgrade } from '../../../test/support/request.js';
import type { Site } from '../../../test/support/serve.js';
import type { Program } from '../../support/program.js';

/** What the clients of the app have seen. */
export interface Visit {
  /** For how many milliseconds at least the websockets of ada and bob were open. */
  readonly open: Record<'ada' | 'bob', number>;
  /** The ids of the traces that the handlers of ada and bob have seen, one for each message. */
  readonly traces: Record<'ada' | 'bob', readonly (string | null)[]>;
}

interface Reply {
  readonly trace: string | null;
  readonly store: string | null;
}

/**
 * Makes the requests that an agent shall report, and ends the app with SIGTERM:
 *
 * - `/plain` and `/plain/fail`: without a websocket
 * - `/chat/lobby`: ada and bob talk at the same time; ada closes, bob's connection is lost
 * - `/chat/late`: eve is there until SIGTERM
 * - `/fail`: the handler fails
 * - `/private` and `/nowhere`: handshakes that the app refuses
 */
export async function visit(app: Program): Promise<Visit> {
  const site = { port: app.port, tls: false } as Site;
  expect(await fetchStatus(app, '/plain')).toBe(200);
  expect(await fetchStatus(app, '/plain/fail?user=carol')).toBe(500);

  const [ada, bob] = await Promise.all([
    connect(site, '/chat/lobby?user=ada'),
    connect(site, '/chat/lobby?user=bob'),
  ]);
  const opened = performance.now();
  const replies = { ada: [] as Reply[], bob: [] as Reply[] };
  for (let i = 0; i < 3; i++) {
    // Both at the same time: one must not get the context of the other.
    for (const client of [ada, bob]) client.send(`message ${i}`);
    replies.ada.push(await takeReply(ada));
    replies.bob.push(await takeReply(bob));
  }
  for (const user of ['ada', 'bob'] as const) {
    expect(replies[user].map(({ store }) => store)).toEqual([user, user, user]);
  }
  const open = { ada: performance.now() - opened, bob: performance.now() - opened };
  expect((await ada.close(1000)).code).toBe(1000);
  await bob.vanish();

  const fail = await connect(site, '/fail?user=mallory');
  fail.send('now');
  expect((await fail.closed()).code).toBe(1011);
  await expect
    .poll(async () => JSON.parse(await fetchText(app, '/errors')) as unknown)
    .toEqual(['a plain route has failed', 'the handler has failed']);

  expect((await requestUpgrade(site, '/private')).status).toBe(401);
  expect((await requestUpgrade(site, '/nowhere')).status).toBe(404);

  // Nothing keeps the requests of closed websockets in memory.
  await expect.poll(() => fetchText(app, '/live'), { timeout: 30_000 }).toBe('0');

  const eve = await connect(site, '/chat/late?user=eve');
  eve.send('hello');
  await takeReply(eve);
  const stopped = app.stop('SIGTERM');
  expect((await eve.closed()).code).toBe(1001);
  expect(await stopped).toEqual({ code: 0, signal: null });
  expect(app.lines.filter((line) => line.includes('WebsocketWarning'))).toEqual([]);
  return {
    open,
    traces: { ada: replies.ada.map(({ trace }) => trace), bob: replies.bob.map(({ trace }) => trace) },
  };
}

async function takeReply(client: Client): Promise<Reply> {
  return JSON.parse(String(await client.next())) as Reply;
}

async function fetchStatus({ port }: Program, path: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  await response.arrayBuffer();
  return response.status;
}

async function fetchText({ port }: Program, path: string): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}${path}`)).text();
}
