import { describe } from 'vitest';
import { describeCommonCheck } from '../support/common-check.js';
import type { Program } from '../support/program.js';
import type { Check } from '../support/subject.js';
import { copyApp, type App } from './support/app.js';
import { checkInBrowser } from './support/browser.js';
import { connectAsPage, fetchText, takeUntil } from './support/hot-reload.js';
import { NODE_22, hasNode22 } from './support/node.js';

const packages = ['webpack-dev-server', 'webpack'];

describe.runIf(hasNode22())('webpack-dev-server', () => {
  const copy = (heading: string) =>
    copyApp({ name: 'webpack', page: ['docs/frameworks.md', heading], node: NODE_22 });
  const start = (app: App) => app.start(['webpack', 'serve', '--host', '127.0.0.1', '--port', '0']);
  const hotReload = (app: App) => (check: Check, program: () => Program) => {
    check('hot reload', 'the websocket of webpack tells a change of a module', async () => {
      await fetchText(program(), '/main.js');
      const socket = await connectAsPage(program(), '/ws');
      await takeUntil(socket, /"type":"ok"/);
      app.edit('src/index.js', 'before', 'after');
      await takeUntil(socket, /"type":"invalid"/);
      await takeUntil(socket, /"type":"ok"/);
    });
    checkInBrowser(check, program, () => app.edit('src/index.js', 'after', 'in Chromium'));
  };

  const app = copy('webpack-dev-server');
  describeCommonCheck(
    { name: 'webpack-dev-server', packages, needs: '[`owns`](#webpack-dev-server)' },
    () => start(app),
    { more: hotReload(app) },
  );

  const hidden = copy('webpack-dev-server-in-another-tool');
  describeCommonCheck(
    {
      name: 'webpack-dev-server in another tool',
      packages,
      needs: '[`owns`, in the first request](#webpack-dev-server-in-another-tool)',
    },
    () => start(hidden),
    { more: hotReload(hidden) },
  );
});
