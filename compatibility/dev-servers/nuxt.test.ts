import { describe } from 'vitest';
import { describeCommonCheck } from '../support/common-check.js';
import { copyApp } from './support/app.js';
import { checkInBrowser } from './support/browser.js';
import { endsWith } from './support/differences.js';
import { visitEcho } from './support/echo.js';
import { connectToVite, fetchText, takeUntil } from './support/hot-reload.js';
import { NODE_22, hasNode22 } from './support/node.js';

const packages = ['nuxt'];

describe.runIf(hasNode22())('Nuxt', () => {
  const app = copyApp({
    name: 'nuxt',
    page: ['docs/frameworks.md', 'nuxt'],
    api: 'server/utils/api.mjs',
    node: NODE_22,
  });

  describeCommonCheck(
    { name: 'Nuxt, development', packages, needs: '[`fromNodeMiddleware`](#nuxt)' },
    () => app.start(['nuxt', 'dev', '--no-fork', '--host', '127.0.0.1', '--port', '0']),
    {
      differences: { SIGTERM: endsWith(1006, 0) },
      more: (check, program) => {
        check('hot reload', 'the websocket of Vite tells a change of a page', async () => {
          await fetchText(program(), '/');
          const socket = await connectToVite(program(), '/_nuxt/');
          await fetchText(program(), '/_nuxt/pages/index.vue');
          app.edit('app/pages/index.vue', 'before', 'after');
          await takeUntil(socket, /index\.vue/);
        });
        checkInBrowser(check, program, () => app.edit('app/pages/index.vue', 'after', 'in Chromium'));
        check('HTTP and echo', 'an app of Express answers below /api', () =>
          visitEcho(program(), '/api/echo'),
        );
      },
    },
  );

  describeCommonCheck(
    { name: 'Nuxt, built server', packages, needs: '[`fromNodeMiddleware`](#nuxt)' },
    async () => {
      await app.run(['nuxt', 'build']);
      return app.start(['.output/server/index.mjs'], { NODE_ENV: 'production', HOST: '127.0.0.1' });
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
