import { afterAll, beforeAll, describe, expect, onTestFinished } from 'vitest';
import { connect } from '../../test/support/client.js';
import { describeCommonCheck } from '../support/common-check.js';
import type { Program } from '../support/program.js';
import { checksOf } from '../support/subject.js';
import { copyApp, type App } from './support/app.js';
import { checkInBrowser } from './support/browser.js';
import { endsWith } from './support/differences.js';
import { visitEcho } from './support/echo.js';
import { fetchText, takeUntil } from './support/hot-reload.js';

const packages = ['next'];

/** Changes the page while a client listens to the websocket over which Next.js reloads pages. */
async function seeChange(app: App, program: Program): Promise<void> {
  await fetchText(program, '/');
  // Next.js refuses pages of 127.0.0.1.
  const origin = `http://localhost:${program.port}`;
  const socket = await connect(program, '/_next/hmr?id=1', { origin });
  await takeUntil(socket, /"type":"sync"/);
  app.edit('pages/index.jsx', 'before', 'after');
  await takeUntil(socket, /"type":"clientChanges"/);
}

async function talk(program: Program): Promise<void> {
  expect(await fetchText(program, '/api/talk')).toBe('Connect with a WebSocket.');
  const client = await connect(program, '/api/talk');
  client.send('hello');
  expect(await client.next()).toBe('hello');
  expect((await client.close(1000)).code).toBe(1000);
}

async function fail(program: Program): Promise<void> {
  const client = await connect(program, '/api/fail');
  expect((await client.closed()).code).toBe(1011);
  await program.printed(/WebsocketWarning.*an API route failed/);
}

describe('a custom server of Next.js', () => {
  const app = copyApp({
    name: 'next',
    page: ['docs/nextjs.md', 'a-custom-server', 'an-api-route'],
    hasOwnModules: true,
  });

  describeCommonCheck(
    { name: 'Next.js, development', packages, needs: '[`owns`](nextjs.md#a-custom-server)' },
    () => app.start(['server.mjs'], { NODE_ENV: 'development' }),
    {
      more: (check, program) => {
        check('hot reload', 'the websocket of Next.js tells a change of a page', () =>
          seeChange(app, program()),
        );
        checkInBrowser(check, program, () => app.edit('pages/index.jsx', 'after', 'in Chromium'));
        check('HTTP and echo', 'an API route answers HTTP and a websocket', () => talk(program()));
        check('1011', 'an error in an API route closes with 1011, and is printed', () => fail(program()));
      },
    },
  );

  describeCommonCheck(
    { name: 'Next.js, production', packages, needs: '[`owns`](nextjs.md#a-custom-server)' },
    async () => {
      await app.run(['next', 'build']);
      return app.start(['server.mjs'], { NODE_ENV: 'production' });
    },
    {
      more: (check, program) => {
        check('HTTP and echo', 'an API route answers HTTP and a websocket', () => talk(program()));
        check('1011', 'an error in an API route closes with 1011, and is printed', () => fail(program()));
      },
    },
  );
});

describe('a custom server of Next.js that has no owns', () => {
  const check = checksOf({ name: 'Next.js, without `owns`', packages, needs: '' });
  const app = copyApp({ name: 'next', page: ['docs/nextjs.md', 'a-custom-server'] });

  check(
    'HTTP and echo',
    'websockets work until the first page; the warning has the line that helps',
    async (see) => {
      const line = "attachWebsocket(server, { owns: (req) => !req.url.includes('/_next/') });";
      app.edit('server.mjs', line, '');
      const program = await app.start(['server.mjs'], { NODE_ENV: 'development' });
      onTestFinished(() => program.kill());
      await visitEcho(program, '/echo');
      await fetchText(program, '/');
      await expect(connect(program, '/echo')).rejects.toThrow('with 503');
      await program.printed(/WEBSOCKET_SHARED_SERVER/);
      expect(program.lines.join('\n')).toContain("owns: (req) => !req.url.includes('/_next/')");
      see('503 after the first page, and a warning');
    },
  );
});

describe('Next.js without a custom server', () => {
  const app = copyApp({
    name: 'next',
    page: ['docs/nextjs.md', 'without-a-custom-server'],
    hasOwnModules: true,
  });

  describe.each([
    ['Next.js, `next dev`', 'dev', 'development', 0],
    // 143 is 128 and the number of the signal.
    ['Next.js, `next start`', 'start', 'production', 143],
  ])('%s', (name, command, environment, exitCode) => {
    const check = checksOf({
      name,
      packages,
      needs: '[a plain request first](nextjs.md#without-a-custom-server)',
    });
    let program: Program;
    beforeAll(async () => {
      if (environment === 'production') await app.run(['next', 'build']);
      program = await app.start(['next', command, '--hostname', '127.0.0.1'], { NODE_ENV: environment });
    });
    afterAll(() => program.kill());

    check('HTTP and echo', 'an API route answers HTTP and a websocket', () => talk(program));
    check('403', 'a page of another site is answered with 403', async () => {
      const visit = connect(program, '/api/talk', { origin: 'https://evil.example' });
      await expect(visit).rejects.toThrow('with 403');
    });
    if (environment === 'development') {
      check('hot reload', 'the websocket of Next.js tells a change of a page', () => seeChange(app, program));
    }
    check('SIGTERM', 'SIGTERM closes open websockets with 1001, and the process ends', (see) =>
      endsWith(1001, exitCode, '/api/talk')(program, see),
    );
  });
});
