import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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

/** Waits until exactly these are shown as being here. */
async function seePeople(page: Page, ...names: string[]): Promise<void> {
  const people = page.getByRole('list', { name: 'Who is here' }).getByRole('listitem');
  await expect.poll(() => people.allTextContents(), { timeout: 30_000 }).toEqual(names);
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

  test('the page says so when the server goes away', async () => {
    const page = await visit('/chat/lobby/');
    await enter(page, 'Ada');
    await stopApp();
    await seeStatus(page, /^Closed/);
    await startApp();
    await press(page, 'Enter');
    await seePeople(page, 'Ada');
  });

  describe.runIf(hasRedis)('in two instances of the app', { timeout: 120_000 }, () => {
    let redis: RedisServer;
    let instances: Instance[] = [];
    beforeAll(async () => {
      redis = await RedisServer.start();
      const env = { REDIS_URL: redis.url };
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
      await seeStatus(bob, 'Closed: the connection was lost');
      await seePeople(ada, 'Ada');
      await bob.goto(`${instances[0]!.origin}/chat/lobby/`);
      await enter(bob, 'Bob');
      await seeMessage(bob, 'Bob: from far away');
      await seePeople(ada, 'Ada', 'Bob');
    });
  });
});
