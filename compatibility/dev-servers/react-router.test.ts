import { describe } from 'vitest';
import { describeCommonCheck } from '../support/common-check.js';
import { copyApp } from './support/app.js';
import { checkInBrowser } from './support/browser.js';
import { endsWith } from './support/differences.js';
import { connectToVite, fetchText, takeUntil } from './support/hot-reload.js';
import { NODE_22, hasNode22 } from './support/node.js';

const packages = ['@react-router/express'];

describe.runIf(hasNode22())('React Router in a server of Express', () => {
  const app = copyApp({
    name: 'react-router',
    page: ['docs/frameworks.md', 'react-router'],
    node: NODE_22,
  });

  describeCommonCheck(
    { name: 'React Router, development', packages, needs: '[`owns`](#react-router)' },
    () => app.start(['server.mjs'], { NODE_ENV: 'development' }),
    {
      // Vite ends the process with 143, which is 128 and the number of the signal.
      differences: { SIGTERM: endsWith(1001, 143) },
      more: (check, program) => {
        check('hot reload', 'the websocket of Vite tells a change of a route', async () => {
          await fetchText(program(), '/');
          const socket = await connectToVite(program());
          await fetchText(program(), '/app/routes/home.jsx');
          app.edit('app/routes/home.jsx', 'before', 'after');
          await takeUntil(socket, /home\.jsx/);
        });
        checkInBrowser(check, program, () => app.edit('app/routes/home.jsx', 'after', 'in Chromium'));
      },
    },
  );

  describeCommonCheck(
    { name: 'React Router, production', packages, needs: '[a custom server](#react-router)' },
    async () => {
      await app.run(['react-router', 'build']);
      return app.start(['server.mjs'], { NODE_ENV: 'production' });
    },
  );
});
