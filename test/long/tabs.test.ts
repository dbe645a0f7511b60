import { createGroups, redisStreamBackplane } from 'dwebsocket/groups';
import express from 'express';
import { chromium, type Page } from 'playwright-core';
import { createClient } from 'redis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { bundleClient } from '../../scripts/bundle-client.js';
import { HISTORY } from '../client/support/room.js';
import { TAB_PAGE, type Said, type TabLog } from '../client/support/tab-page.js';
import { FakeMember } from '../groups/support/members.js';
import { hasRedis, RedisServer } from '../groups/support/redis-server.js';
import { findFreePort } from '../support/free-port.js';
import { chromiumArguments, chromiumPath, hasChromium } from '../support/chromium.js';
import { startProgram } from '../support/program.js';
import { serve } from '../support/serve.js';

const TABS = 20;
const KILLS = 10;

/** Opens the tabs. `order` reaches all of them. */
async function openTabs(url: string) {
  const client = bundleClient();
  const site = await serve(
    express()
      .get('/client.mjs', (_req, res) => void res.type('text/javascript').send(client))
      .get('/', (_req, res) => void res.type('html').send(TAB_PAGE))
      .get('/orders', (_req, res) => void res.type('html').send('')),
  );
  const browser = await chromium.launch({
    executablePath: chromiumPath,
    args: [...chromiumArguments, '--renderer-process-limit=4'],
  });
  onTestFinished(() => browser.close());
  const context = await browser.newContext();
  const faults: string[] = [];
  context.on('weberror', (error) => faults.push(String(error.error())));
  const origin = `http://localhost:${site.port}`;
  const speaker = await context.newPage();
  await speaker.goto(`${origin}/orders`);
  const tabs: Page[] = [];
  for (let tab = 0; tab < TABS; tab++) {
    const page = await context.newPage();
    const query = new URLSearchParams({ tab: String(tab), url }).toString();
    await page.goto(`${origin}/?${query}`);
    tabs.push(page);
  }
  const order = (name: 'say' | 'last') =>
    speaker.evaluate(`new BroadcastChannel('orders').postMessage(${JSON.stringify(name)})`);
  return { tabs, order, faults };
}

/** Starts a Redis, and joins the room in this process. */
async function openRoom() {
  const redis = await RedisServer.start();
  onTestFinished(() => redis.stop());
  const client = createClient({ url: redis.url });
  client.on('error', () => {});
  await client.connect();
  const groups = createGroups({
    backplane: redisStreamBackplane(client, HISTORY.backplane),
    ...HISTORY.groups,
  });
  onTestFinished(async () => {
    await groups.close();
    client.destroy();
  });
  const room = groups.group('room');
  const member = new FakeMember();
  await room.add(member);
  return { url: redis.url, room, member };
}

describe.skipIf(!hasChromium || !hasRedis)('20 tabs, and a server that is killed ten times', () => {
  test('nothing is lost, nothing comes twice, and send tells the truth', { timeout: 300_000 }, async () => {
    const { url, room, member } = await openRoom();
    const port = await findFreePort();
    const prepare = () => startProgram('room', { PORT: String(port), REDIS_URL: url });
    let next = prepare();
    const startServer = async () => {
      const server = await next;
      await server.ask('listen');
      return server;
    };
    let n = 0;
    const say = (more: Partial<Said> = {}) => room.send({ from: 'test', n: n++, ...more });

    let server = await startServer();
    const { tabs, order, faults } = await openTabs(`ws://127.0.0.1:${port}/room`);
    await server.ask({ members: TABS });
    for (let kill = 0; kill < KILLS; kill++) {
      next = prepare();
      await next;
      await order('say');
      void say();
      // One time messages are under way, the other time Redis has them.
      if (kill % 2 === 0) await say();
      await server.stop();
      for (let i = 0; i < 5; i++) await say();
      server = await startServer();
      // One time it is killed while tabs come back.
      await server.ask({ members: kill % 2 === 0 ? TABS : TABS / 2 });
    }
    await server.ask({ members: TABS });
    await order('last');
    for (let left = TABS; left > 0;)
      if ((JSON.parse(String(await member.inbox.next('last message'))) as Said).isLast) left--;
    await say({ isEnd: true });
    const logs = (await Promise.all(tabs.map((tab) => tab.evaluate('finish()')))) as TabLog[];
    expect(faults).toEqual([]);

    const history = (await room.history({ last: 100_000 })).map(({ message }) => message as Said);
    const ids = history.map(({ id }) => id);
    for (const [tab, log] of logs.entries()) {
      expect(log.complete).not.toContain(false);
      expect(log.received).toEqual(ids);
      const arrived = history.filter(({ from }) => from === String(tab)).map((said) => said.n);
      judgeSends(log, arrived);
    }
  });
});

/** Compares what `send` has said with the messages that have arrived. */
function judgeSends({ answers, passed, connections }: TabLog, arrived: number[]): void {
  const sent = [...answers.keys()].filter((n) => answers[n]);
  expect(sent.length).toBeLessThan(answers.length);
  // Whatever resolved with `true` was passed to a connection, once and in order, and nothing else was.
  expect(passed.map(([, n]) => n)).toEqual(sent);
  // Only the end of what a lost connection has taken may be missing.
  const expected: number[] = [];
  for (let connection = 1; connection <= connections; connection++) {
    const taken = passed.filter(([number]) => number === connection).map(([, n]) => n);
    const count = taken.filter((n) => arrived.includes(n)).length;
    if (connection === connections) expect(count).toBe(taken.length);
    expected.push(...taken.slice(0, count));
  }
  expect(arrived).toEqual(expected);
}
