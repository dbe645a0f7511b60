import { acceptWebsocket } from 'dwebsocket';
import findMyWay from 'find-my-way';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { connect } from '../../test/support/client.js';
import { serve } from '../../test/support/serve.js';
import { describeFramework } from './support/describe-framework.js';

/** Frameworks with the signature of Connect. */
for (const [name, packageName] of [
  ['Polka', 'polka'],
  ['restana', 'restana'],
  ['tinyhttp', '@tinyhttp/app'],
] as const)
  describeFramework(
    { name, packages: [packageName], needs: `[nothing](#${name.toLowerCase()})` },
    name.toLowerCase(),
  );

describeFramework(
  { name: 'find-my-way', packages: ['find-my-way'], needs: '[a `next` for errors](#find-my-way)' },
  'find-my-way',
);

test('find-my-way passes a route its parameters as `next`, and an error of the route ends in one warning', async () => {
  const router = findMyWay();
  const fail = acceptWebsocket(async () => {
    throw new Error('boom');
  });
  // Its types allow this only in JavaScript.
  router.on('GET', '/fail/:id', fail as never);
  const site = await serve((req, res) => router.lookup(req, res));
  const warned = once(process, 'warning');
  expect((await fetch(`http://127.0.0.1:${site.port}/fail/7`)).status).toBe(500);
  const [warning] = (await warned) as [Error];
  expect(warning.message).toContain('boom');
  const client = await connect(site, '/fail/7');
  expect((await client.closed()).code).toBe(1011);
});
