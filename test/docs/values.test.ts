import { expect, onTestFinished, test, vi } from 'vitest';
import { connect } from '../support/client.js';
import { request } from '../support/request.js';
import { readDocument } from './document.js';
import { runInBrowser } from './run-block.js';
import { openDocument } from './scenario.js';

const page = openDocument('docs/values.md');
const { text } = readDocument('docs/values.md');
const top = 'messages-that-are-values';

test('a page talks in JSON, and the handler in values', async () => {
  const { site } = await page.run(top);
  expect(await runInBrowser(page.find(top, 'js'), site)).toEqual({ from: 'Ada', text: 'hello' });
});

test('a message that does not fit closes with the reason that the page shows, and with less in production', async () => {
  onTestFinished(() => void vi.unstubAllEnvs());
  const { site } = await page.run(top);
  const [, reason] = /as the reason: `([^`]+)`/.exec(text) ?? [];
  const send = async (message: string | Buffer) => {
    const client = await connect(site, '/talk');
    client.send(message);
    return client.closed();
  };
  expect(await send('{"text":42}')).toEqual({ code: 1007, reason });
  expect(await send(Buffer.from('{}'))).toMatchObject({ code: 1003 });
  vi.stubEnv('NODE_ENV', 'production');
  expect(await send('{"text":42}')).toEqual({ code: 1007, reason: 'invalid message' });
});

test('a route that only sends', async () => {
  const { site } = await page.run('json-and-schemas');
  expect(await (await connect(site, '/figures')).take(2)).toEqual([
    '{"temperature":20}',
    '{"temperature":20}',
  ]);
});

test.for([
  ['zod', 1, 'ts'],
  ['valibot', 2, 'ts'],
  ['arktype', 0, 'js'],
] as const)('a schema of %s applies its default and its transform', async ([library, index, language]) => {
  const { site } = await page.run('json-and-schemas', index, language);
  expect(page.find('json-and-schemas', language, index).code).toContain(`from '${library}'`);
  const [, message = ''] = /^From `([^`]+)`/m.exec(text) ?? [];
  const client = await connect(site, '/orders');
  client.send(message, '{"item":"tea","by":"soon"}');
  expect(await client.next()).toBe('"1 tea, 2026-07-01T00:00:00.000Z"');
  expect(await client.closed()).toMatchObject({ code: 1007, reason: expect.stringContaining(' at by: ') });
});

test('a websocket that stays open in spite of a bad message', async () => {
  const { site } = await page.run('a-message-that-does-not-fit');
  const client = await connect(site, '/patient');
  client.send('{"text":1}', '{"text":"a"}');
  expect(JSON.parse(String(await client.next()))).toEqual({
    error: expect.stringContaining('expected string'),
    received: 10,
  });
  expect(await client.next()).toBe('{"text":"a"}');
});

test('a schema that asks first', async () => {
  const { site } = await page.run('schemas-that-answer-later');
  const client = await connect(site, '/join');
  client.send('{"name":"Ada"}', '{"name":"Bob"}', '{"name":"admin"}');
  expect(await client.take(2)).toEqual(['{"welcome":"Ada"}', '{"welcome":"Bob"}']);
  expect((await client.closed()).reason).toBe('invalid message at name: this name is taken');
});

test('a group sends values to all its members', async () => {
  const { site } = await page.run('groups');
  const [ada, bob] = [await connect(site, '/rooms/red?name=Ada'), await connect(site, '/rooms/red?name=Bob')];
  ada.send('{"text":"hello"}');
  const message = '{"from":"Ada","text":"hello"}';
  expect([await ada.next(), await bob.next()]).toEqual([message, message]);
});

test('wrappers for values', async () => {
  const { site } = await page.run('defaults-middleware-and-types');
  expect(await (await connect(site, '/status')).next()).toBe('{"status":"ready"}');
  const client = await connect(site, '/square');
  client.send('12', '"12"');
  expect(await client.next()).toBe('144');
  expect(await client.closed()).toMatchObject({ code: 1007 });
  expect((await request(site, '/status')).status).toBe(400);
});

test('a test of a route and of its handler passes', async () => {
  await page.run('tests');
});

page.testCompleteness();
