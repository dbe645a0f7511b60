import { describe } from 'vitest';
import { describeCommonCheck } from '../support/common-check.js';
import { copyApp } from './support/app.js';
import { checkInBrowser } from './support/browser.js';
import { destroysConnections } from './support/differences.js';
import { connectToVite, fetchText, takeUntil } from './support/hot-reload.js';
import { NODE_22, hasNode22 } from './support/node.js';

const packages = ['@sveltejs/kit'];

describe.runIf(hasNode22())('SvelteKit', () => {
  const app = copyApp({ name: 'sveltekit', page: ['docs/frameworks.md', 'sveltekit'], node: NODE_22 });

  describeCommonCheck(
    { name: 'SvelteKit, development', packages, needs: '[a plugin with `owns`](#sveltekit)' },
    () => app.start(['vite', '--host', '127.0.0.1', '--port', '0']),
    {
      differences: { SIGTERM: destroysConnections },
      more: (check, program) => {
        check('hot reload', 'the websocket of Vite tells a change of a page', async () => {
          await fetchText(program(), '/');
          const socket = await connectToVite(program());
          await fetchText(program(), '/src/routes/+page.svelte');
          app.edit('src/routes/+page.svelte', 'before', 'after');
          await takeUntil(socket, /"type":"update".*page\.svelte/);
        });
        checkInBrowser(check, program, () => app.edit('src/routes/+page.svelte', 'after', 'in Chromium'));
      },
    },
  );

  describeCommonCheck(
    {
      name: 'SvelteKit, adapter-node',
      packages: [...packages, '@sveltejs/adapter-node'],
      needs: '[a custom server](#sveltekit)',
    },
    async () => {
      await app.run(['vite', 'build']);
      return app.start(['server.mjs'], { NODE_ENV: 'production' });
    },
  );
});
