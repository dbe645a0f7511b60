import { describe } from 'vitest';
import { describeCommonCheck } from '../support/common-check.js';
import { copyApp } from './support/app.js';
import { checkInBrowser } from './support/browser.js';
import { destroysConnections } from './support/differences.js';
import { connectToVite, fetchText, takeUntil } from './support/hot-reload.js';
import { NODE_22, hasNode22 } from './support/node.js';

const packages = ['astro', '@astrojs/node'];

describe.runIf(hasNode22())('Astro', () => {
  const app = copyApp({ name: 'astro', page: ['docs/frameworks.md', 'astro'], node: NODE_22 });

  describeCommonCheck(
    { name: 'Astro, development', packages, needs: '[an integration with `owns`](#astro)' },
    () => app.start(['astro', 'dev', '--host', '127.0.0.1', '--port', '0']),
    {
      differences: { SIGTERM: destroysConnections },
      more: (check, program) => {
        check('hot reload', 'the websocket of Vite tells a change of a page', async () => {
          await fetchText(program(), '/');
          const socket = await connectToVite(program());
          app.edit('src/pages/index.astro', 'before', 'after');
          await takeUntil(socket, /index\.astro|full-reload/);
        });
        checkInBrowser(check, program, () => app.edit('src/pages/index.astro', 'after', 'in Chromium'));
      },
    },
  );

  describeCommonCheck(
    { name: 'Astro, production', packages, needs: '[a custom server](#astro)' },
    async () => {
      await app.run(['astro', 'build']);
      return app.start(['server.mjs'], { NODE_ENV: 'production' });
    },
  );
});
