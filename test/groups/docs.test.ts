import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readDocument } from '../docs/document.js';
import { openDocument } from '../docs/scenario.js';
import { connect } from '../support/client.js';
import { request } from '../support/request.js';

const page = openDocument('docs/groups.md');

test('the chat: others hear what one says, and what a plain route sends', async () => {
  const { site } = await page.run('in-one-process');
  const [ann, ben] = [await connect(site, '/chat/7'), await connect(site, '/chat/7')];
  await Promise.all([ann.flush(), ben.flush()]);
  ann.send('hello');
  expect(await ben.next()).toBe('hello');
  expect((await request(site, '/orders/7/paid', { method: 'POST' })).status).toBe(200);
  expect([await ann.next(), await ben.next()]).toEqual(['paid', 'paid']);
});

test('what send tells, and a health check', async () => {
  await page.run('a-group');
  const { site } = await page.run('when-redis-is-away');
  expect((await request(site, '/readyz')).status).toBe(200);
  await page.run('in-tests');
});

test('the backplane over PostgreSQL is the one that keeps the contract in the tests', () => {
  const shown = readDocument('docs/groups.md').blocks.at(-1)?.code.trimEnd();
  const tested = readFileSync(new URL('./support/postgres-backplane.ts', import.meta.url), 'utf8').trimEnd();
  expect(shown).toBe(tested);
});
