import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Proxy } from '../groups/support/proxy.js';
import { hasRedis, RedisServer } from '../groups/support/redis-server.js';
import { describeInBrowser, press, seeStatus } from './browser.js';
import { Instance } from './instance.js';

async function enter(page: Page, name: string): Promise<void> {
  await page.getByLabel('Your name').fill(name);
  await press(page, 'Enter');
  await seeStatus(page, 'Connected');
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message').fill(text);
  await page.keyboard.press('Enter');
}

const seeMessage = (page: Page, text: string) =>
  page.getByRole('log').getByRole('listitem').filter({ hasText: text }).waitFor();

/** Waits until exactly these messages and notes are shown, the oldest first. */
async function seeConversation(page: Page, ...texts: string[]): Promise<void> {
  const items = page.locator('#messages li > span, #messages .note');
  const read = async () => (await items.allTextContents()).reverse();
  await expect.poll(read, { timeout: 30_000 }).toEqual(texts);
}

/** Waits until exactly these are shown as being here. */
async function seePeople(page: Page, ...names: string[]): Promise<void> {
  const people = page.getByRole('list', { name: 'Who is here' }).getByRole('listitem');
  await expect.poll(() => people.allTextContents(), { timeout: 30_000 }).toEqual(names);
}

const portOf = (url: string) => Number(new URL(url).port);

/** Starts a network between a page and the app that can fail. It ends with the test. */
async function startNetwork(port: number): Promise<Proxy> {
  const network = await Proxy.start(port);
  onTestFinished(() => network.stop());
  return network;
}

/** Cuts a network: connections are lost, and new ones fail. */
function cut(network: Proxy): void {
  network.target = 1;
  network.cut();
}

describeInBrowser('the chat', ({ visit, stopApp, startApp }) => {
  test('two pages in a room hear and see each other at once', async () => {
    const ada = await visit('/chat/lobby/');
    const bob = await visit('/chat/lobby/');
    await enter(ada, 'Ada');
    await seePeople(ada, 'Ada');
    await enter(bob, '<b>Bob</b>');
    for (const page of [ada, bob]) await seePeople(page, '<b>Bob</b>', 'Ada');
    await ada.getByText('2 people').waitFor();

    await say(ada, 'Hello, Bob!');
    await seeMessage(bob, 'Ada: Hello, Bob!');
    await say(bob, '<img src=x>');
    await seeMessage(ada, '<b>Bob</b>: <img src=x>');
    await say(ada, '你好');
    for (const page of [ada, bob]) {
      await seeMessage(page, 'Ada: 你好');
      const texts = await page.locator('#messages li > span').allTextContents();
      expect(texts).toEqual(['Ada: 你好', '<b>Bob</b>: <img src=x>', 'Ada: Hello, Bob!']);
    }
    expect(await ada.getByLabel('Message').inputValue()).toBe('');

    await bob.close();
    await seePeople(ada, 'Ada');
  });

  test('a second room shares nothing with the first, and keeps the name of the tab', async () => {
    const page = await visit('/chat/first/');
    await enter(page, 'Ada');
    await say(page, 'only here');
    await seeMessage(page, 'only here');
    await page.getByLabel('Another room').fill('厨房');
    await press(page, 'Go');
    await page.getByRole('heading', { name: 'Chat: 厨房' }).waitFor();
    await seeStatus(page, 'Connected');
    await seePeople(page, 'Ada');
    expect(await page.getByText('only here').count()).toBe(0);

    await page.goBack();
    await seeMessage(page, 'only here');
  });

  test('two tabs of a person are one person', async () => {
    const ada = await visit('/chat/tabs/');
    await enter(ada, 'Ada');
    const bob = await visit('/chat/tabs/');
    await enter(bob, 'Bob');
    const tab = await bob.context().newPage();
    await tab.goto(bob.url());
    await enter(tab, 'Bob');
    await seePeople(tab, 'Ada', 'Bob');
    await ada.getByText('2 people').waitFor();
    await bob.close();
    await say(tab, 'I am still here');
    await seeMessage(ada, 'Bob: I am still here');
    await seePeople(ada, 'Ada', 'Bob');
    await tab.close();
    await seePeople(ada, 'Ada');
  });

  test('a visitor who leaves sees nobody, cannot talk, and gets the last messages on return', async () => {
    const page = await visit('/chat/away/');
    await say(page, 'too early');
    await page.getByText('You are not connected. Press Enter first.').waitFor();
    expect(await page.getByLabel('Message').inputValue()).toBe('too early');

    await enter(page, 'Ada');
    await say(page, 'one');
    await seeMessage(page, 'one');
    await press(page, 'Leave');
    await seeStatus(page, 'Closed by you');
    await seePeople(page);
    await press(page, 'Enter');
    await seePeople(page, 'Ada');
    await seeMessage(page, 'one');
    expect(await page.locator('#messages li').count()).toBe(1);
  });

  test('a visitor can enter again under another name', async () => {
    const page = await visit('/chat/names/');
    const [name, button] = [page.getByLabel('Your name'), page.getByRole('button', { name: 'Enter' })];
    await enter(page, 'Ada');
    await seePeople(page, 'Ada');
    expect(await button.isDisabled()).toBe(true);
    await name.fill('Eva');
    await name.press('Enter');
    await seePeople(page, 'Eva');
    await seeStatus(page, 'Connected');

    await name.fill('Ida');
    await button.click();
    await seePeople(page, 'Ida');
  });

  test('a name of blanks is refused with the reason', async () => {
    const page = await visit('/chat/names/');
    const name = page.getByLabel('Your name');
    await name.fill('   ');
    await name.press('Enter');
    expect(await page.locator('.status').textContent()).toBe('Not connected');
    expect(await name.evaluate("document.getElementById('name').validationMessage")).toBe(
      'Enter a name that is not only spaces.',
    );
    expect(await page.evaluate("sessionStorage.getItem('name')")).toBe(null);
    await enter(page, ' Ada ');
    await seePeople(page, 'Ada');
  });

  test('the way to another room is below the talk on a phone, and beside it where there is space', async () => {
    const page = await visit('/chat/lobby/', { viewport: { width: 390, height: 800 } });
    const place = async (name: string) => {
      const box = await page.getByRole('region', { name }).boundingBox();
      return box ?? expect.fail(`no ${name}`);
    };
    expect((await place('Rooms')).y).toBeGreaterThan((await place('Conversation')).y);
    await page.setViewportSize({ width: 1280, height: 800 });
    expect((await place('Rooms')).x).toBeLessThan((await place('Conversation')).x);
    expect((await place('Conversation')).y).toBe((await place('You')).y);
  });

  test('after a restart of the server the page is back, and says that messages may be missing', async () => {
    const page = await visit('/chat/restart/');
    await enter(page, 'Ada');
    await say(page, 'before');
    await seeMessage(page, 'Ada: before');
    await stopApp();
    await seeStatus(page, /^Closed: .* The page will connect again\.$/);
    await seePeople(page);
    await startApp();
    await seePeople(page, 'Ada');
    await say(page, 'after');
    await seeConversation(page, 'Ada: before', 'Messages may be missing here.', 'Ada: after');
  });

  test('a visitor who leaves while the page tries again stays away', async () => {
    const page = await visit('/home/');
    const port = portOf(page.url());
    const network = await startNetwork(port);
    await page.goto(`http://localhost:${String(network.port)}/chat/stay-away/`);
    await enter(page, 'Ada');
    cut(network);
    await seeStatus(page, /^Closed: /);
    for (const text of ['one', 'two']) await say(page, text);
    await press(page, 'Leave');
    await seeStatus(page, 'Closed by you');
    await page.getByText('so this may not have been sent: one / two').waitFor();
    expect(await page.getByLabel('Message').inputValue()).toBe('two');
    network.target = port;
    await page.evaluate("dispatchEvent(new Event('online'))");
    expect(await page.locator('.status').textContent()).toBe('Closed by you');
    expect(await page.getByRole('button', { name: 'Enter' }).isEnabled()).toBe(true);
  });

  test('after an outage of the network the page gets what it has missed, each message once and in order', async () => {
    const ada = await visit('/chat/outage/');
    const bob = await visit('/home/');
    const network = await startNetwork(portOf(ada.url()));
    await bob.goto(`http://localhost:${String(network.port)}/chat/outage/`);
    await enter(ada, 'Ada');
    await enter(bob, 'Bob');
    await say(ada, 'before');
    await seeMessage(bob, 'Ada: before');

    cut(network);
    await seeStatus(bob, /^Closed: the connection was lost/);
    await seePeople(ada, 'Ada');
    for (const text of ['one', 'two', 'three']) await say(ada, text);
    await seeConversation(ada, 'Ada: before', 'Ada: one', 'Ada: two', 'Ada: three');
    for (const text of ['four', 'five']) await say(bob, text);
    await bob.getByText('The connection is lost. The page sends this when it is back.').waitFor();
    await seeConversation(bob, 'Ada: before');

    network.target = portOf(ada.url());
    const all = ['Ada: before', 'Ada: one', 'Ada: two', 'Ada: three', 'Bob: four', 'Bob: five'];
    for (const page of [ada, bob]) await seeConversation(page, ...all);
    expect(await bob.getByRole('alert').textContent()).toBe('');
  });

  test('a connection that has died unnoticed is replaced when the browser is online again', async () => {
    const ada = await visit('/chat/dead/');
    const bob = await visit('/home/');
    const network = await startNetwork(portOf(ada.url()));
    await bob.goto(`http://localhost:${String(network.port)}/chat/dead/`);
    await enter(ada, 'Ada');
    await enter(bob, 'Bob');
    await say(ada, 'before');
    await seeMessage(bob, 'Ada: before');

    for (const connection of network.connections) network.mute(connection);
    await say(bob, 'into the void');
    await say(ada, 'meanwhile');
    await seeMessage(ada, 'Ada: meanwhile');
    await bob.context().setOffline(true);
    await bob.context().setOffline(false);
    await seeConversation(bob, 'Ada: before', 'Ada: meanwhile');
    await bob.getByText('The connection was lost, so this may not have been sent: into the void').waitFor();
    expect(await bob.getByLabel('Message').inputValue()).toBe('into the void');
    await bob.getByLabel('Message').press('Enter');
    for (const page of [ada, bob])
      await seeConversation(page, 'Ada: before', 'Ada: meanwhile', 'Bob: into the void');
  });

  describe.runIf(hasRedis)('in two instances of the app', { timeout: 120_000 }, () => {
    let redis: RedisServer;
    let env: { REDIS_URL: string };
    let instances: Instance[] = [];
    beforeAll(async () => {
      redis = await RedisServer.start();
      env = { REDIS_URL: redis.url };
      instances = await Promise.all([Instance.start(env), Instance.start(env)]);
    });
    afterAll(async () => {
      await Promise.all(instances.map((instance) => instance.end('SIGKILL')));
      await redis.stop();
    });

    test('two pages share a room, and see who was on an instance that is killed', async () => {
      const [ada, bob] = [await visit('/home/'), await visit('/home/')];
      await ada.goto(`${instances[0]!.origin}/chat/lobby/`);
      await bob.goto(`${instances[1]!.origin}/chat/lobby/`);
      await enter(ada, 'Ada');
      await enter(bob, 'Bob');
      for (const page of [ada, bob]) await seePeople(page, 'Ada', 'Bob');
      await say(bob, 'from far away');
      await seeMessage(ada, 'Bob: from far away');

      await instances[1]!.end('SIGKILL');
      await seeStatus(bob, /^Closed: /);
      await seePeople(ada, 'Ada');
      await bob.goto(`${instances[0]!.origin}/chat/lobby/`);
      await enter(bob, 'Bob');
      await seeMessage(bob, 'Bob: from far away');
      await seePeople(ada, 'Ada', 'Bob');
    });

    test('a page whose network was away may come back to the other instance, and misses nothing', async () => {
      const [ada, bob] = [await visit('/home/'), await visit('/home/')];
      const [here, there] = await Promise.all([Instance.start(env), Instance.start(env)]);
      onTestFinished(async () => {
        await Promise.all([here.end('SIGKILL'), there.end('SIGKILL')]);
      });
      const network = await startNetwork(portOf(there.origin));
      await ada.goto(`${here.origin}/chat/outage/`);
      await bob.goto(`http://localhost:${String(network.port)}/chat/outage/`);
      await enter(ada, 'Ada');
      await enter(bob, 'Bob');
      await say(ada, 'before');
      await seeMessage(bob, 'Ada: before');

      await bob.context().setOffline(true);
      cut(network);
      await seeStatus(bob, /^Closed: /);
      await seePeople(ada, 'Ada');
      for (const text of ['one', 'two', 'three']) await say(ada, text);
      await seeConversation(ada, 'Ada: before', 'Ada: one', 'Ada: two', 'Ada: three');

      network.target = portOf(here.origin);
      await bob.context().setOffline(false);
      await seeConversation(bob, 'Ada: before', 'Ada: one', 'Ada: two', 'Ada: three');
      await seePeople(bob, 'Ada', 'Bob');
      await say(bob, 'back');
      for (const page of [ada, bob])
        await seeConversation(page, 'Ada: before', 'Ada: one', 'Ada: two', 'Ada: three', 'Bob: back');
    });
  });
});
