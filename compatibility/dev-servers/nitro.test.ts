import { describe, expect } from 'vitest';
import { describeCommonCheck } from '../support/common-check.js';
import { copyApp } from './support/app.js';
import { endsWith } from './support/differences.js';
import { visitEcho } from './support/echo.js';
import { fetchText } from './support/hot-reload.js';

const packages = ['nitro'];

describe('Nitro', () => {
  const app = copyApp({ name: 'nitro', page: ['docs/frameworks.md', 'nitro'] });

  describeCommonCheck(
    { name: 'Nitro, development', packages, needs: '[`fromNodeHandler`](#nitro)' },
    () => app.start(['nitro', 'dev', '--host', '127.0.0.1', '--port', '0']),
    {
      differences: { SIGTERM: endsWith(1006, null) },
      more: (check, program) => {
        check('hot reload', 'a changed route answers, and the others as before', async () => {
          app.edit('server/routes/page.js', 'before', 'after');
          await expect.poll(() => fetchText(program(), '/page')).toBe('after');
          await visitEcho(program(), '/echo');
        });
        check('HTTP and echo', 'an app of Express answers below /api', () =>
          visitEcho(program(), '/api/echo'),
        );
      },
    },
  );

  describeCommonCheck(
    { name: 'Nitro, built server', packages, needs: '[`fromNodeHandler`](#nitro)' },
    async () => {
      await app.run(['nitro', 'build']);
      // With CI or TEST in its environment, Nitro's server ends at once instead of closing.
      const env = { NODE_ENV: 'production', HOST: '127.0.0.1', CI: '', TEST: '' };
      return app.start(['.output/server/index.mjs'], env);
    },
    {
      more: (check, program) => {
        check('HTTP and echo', 'an app of Express answers below /api', () =>
          visitEcho(program(), '/api/echo'),
        );
      },
    },
  );
});
