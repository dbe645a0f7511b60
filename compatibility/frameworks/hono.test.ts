import { expect } from 'vitest';
import { describeFramework } from './support/describe-framework.js';

describeFramework(
  {
    name: 'Hono',
    packages: ['hono', '@hono/node-server'],
    needs: '[an adapter with `RESPONSE_ALREADY_SENT`](#hono)',
  },
  'hono',
  { logs: true },
);

describeFramework(
  {
    name: 'Hono beside Express',
    packages: ['hono', '@hono/node-server', 'express'],
    needs: '[`app.use(getRequestListener(hono.fetch))`](#hono-beside-express)',
  },
  'hono-beside-express',
  {
    more: (check, program) => {
      check('HTTP and echo', 'the routes of Hono answer on the same server', async () => {
        const response = await fetch(`http://127.0.0.1:${program().port}/hono`);
        expect(await response.text()).toBe('from Hono');
      });
    },
  },
);
