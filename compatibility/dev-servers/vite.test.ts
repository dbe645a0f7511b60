import { readFileSync } from 'node:fs';
import { describe, expect, onTestFinished } from 'vitest';
import { connect } from '../../test/support/client.js';
import { describeCommonCheck } from '../support/common-check.js';
import { request } from '../../test/support/request.js';
import { CERTIFICATE, type Site } from '../../test/support/serve.js';
import type { Program } from '../support/program.js';
import { checksOf } from '../support/subject.js';
import { copyApp, type App } from './support/app.js';
import { checkInBrowser } from './support/browser.js';
import { answersWithPage, destroysConnections } from './support/differences.js';
import { connectToVite, fetchText, takeUntil } from './support/hot-reload.js';

const HOST = ['--host', '127.0.0.1', '--port', '0'];

async function seeChange(app: App, program: Program): Promise<void> {
  const socket = await connectToVite(program);
  await fetchText(program, '/main.js');
  app.edit('main.js', 'append(', 'append(`changed`, ');
  await takeUntil(socket, /"type":"update".*main\.js/);
}

async function echo(to: Pick<Program, 'port'> & { tls?: boolean }): Promise<void> {
  const client = await connect(to, '/echo');
  client.send('hello');
  expect(await client.next()).toBe('hello');
  await client.close();
}

describe('an app in Vite', () => {
  const app = copyApp({ name: 'vite', page: ['docs/vite.md', 'in-the-dev-server'] });
  const differences = { '404': answersWithPage, SIGTERM: destroysConnections };

  describeCommonCheck(
    {
      name: 'Vite, dev server',
      packages: ['vite'],
      needs: '[a plugin with `owns`](vite.md#in-the-dev-server)',
    },
    () => app.start(['vite', ...HOST]),
    {
      differences,
      more: (check, program) => {
        check('hot reload', 'the websocket of Vite tells a change of a module', () =>
          seeChange(app, program()),
        );
        checkInBrowser(check, program, () => app.edit('main.js', 'append(', 'append(`in Chromium`, '));
        check(
          'HTTP and echo',
          'when the app changes, Vite restarts, and the changed app answers',
          async () => {
            const socket = await connectToVite(program());
            app.edit('api.mjs', "'x-middleware', 'yes'", "'x-middleware', 'changed'");
            await socket.closed();
            await program().printed(/server restarted/);
            expect((await connect(program(), '/echo')).headers['x-middleware']).toBe('changed');
            await seeChange(app, program());
          },
        );
      },
    },
  );

  const built = copyApp({ name: 'vite', page: ['docs/vite.md', 'in-the-dev-server'] });
  describeCommonCheck(
    { name: 'Vite, preview', packages: ['vite'], needs: '[a plugin](vite.md#in-the-dev-server)' },
    async () => {
      await built.run(['vite', 'build']);
      return built.start(['vite', 'preview', ...HOST]);
    },
    { differences },
  );
});

describe('an app in Vite', () => {
  const check = checksOf({
    name: 'Vite, dev server over TLS',
    packages: ['vite'],
    needs: '[a plugin with `owns`](vite.md#in-the-dev-server)',
  });
  const app = copyApp({ name: 'vite', page: ['docs/vite.md', 'in-the-dev-server'] });

  check('HTTP and echo', 'over TLS, the route answers HTTP and a websocket', async () => {
    app.edit(
      'vite.config.js',
      'plugins:',
      `server: { https: ${JSON.stringify({ key: String(CERTIFICATE.key), cert: String(CERTIFICATE.cert) })} },\n  plugins:`,
    );
    const program = await app.start(['vite', ...HOST]);
    onTestFinished(() => program.kill());
    const site = { port: program.port, tls: true };
    expect(await request(site as Site, '/echo?message=hello')).toMatchObject({ status: 200, body: 'hello' });
    await echo(site);
    // The websocket of Vite itself.
    await connect(site, '/', { protocols: ['vite-ping'] });
  });
});

describe('an app in Vite, whose server has no owns', () => {
  const check = checksOf({ name: 'Vite, without `owns`', packages: ['vite'], needs: '' });
  const app = copyApp({ name: 'vite', page: ['docs/vite.md', 'in-the-dev-server'] });

  check('HTTP and echo', 'a websocket gets 503, and the warning has the line that helps', async (see) => {
    const line = 'if (server.httpServer) attachWebsocket(server.httpServer, { owns });';
    app.edit('vite.config.js', line, '');
    const program = await app.start(['vite', ...HOST]);
    onTestFinished(() => program.kill());
    expect(await fetchText(program, '/echo?message=hello')).toBe('hello');
    await expect(connect(program, '/echo')).rejects.toThrow('with 503');
    await program.printed(/WEBSOCKET_SHARED_SERVER/);
    // The page has this line.
    const cure = "(req) => !String(req.headers['sec-websocket-protocol']).startsWith('vite-')";
    expect(program.lines.join('\n')).toContain(cure);
    expect(readFileSync(`${app.folder}/vite.config.js`, 'utf8')).toContain(cure);
    see('503, and a warning');
  });
});

describe('Vite in an app', () => {
  const app = copyApp({ name: 'vite', page: ['docs/vite.md', 'in-a-server-of-your-own'] });

  describeCommonCheck(
    { name: 'Vite, middleware mode', packages: ['vite'], needs: '[`owns`](vite.md#in-a-server-of-your-own)' },
    () => app.start(['server.mjs']),
    {
      differences: { '404': answersWithPage },
      more: (check, program) => {
        check('hot reload', 'the websocket of Vite tells a change of a module', () =>
          seeChange(app, program()),
        );
      },
    },
  );
});

describe('Vite as a proxy before an app', () => {
  const needs = '[`ws: true`](vite.md#as-a-proxy)';

  /** Starts the app and the proxy. The app prints the errors, and gets the signals. */
  async function start(app: App, options: string): Promise<Program> {
    const backend = await app.start(['backend.mjs']);
    const target = `http://127.0.0.1:${backend.port}`;
    app.edit('vite.config.js', "'http://localhost:8000'", `'${target}'${options}`);
    const proxy = await app.start(['vite', ...HOST]);
    return {
      ...proxy,
      printed: backend.printed,
      async stop(signal) {
        const ended = await backend.stop(signal);
        await proxy.kill();
        return ended;
      },
      async kill() {
        await Promise.all([proxy.kill(), backend.kill()]);
      },
    };
  }
  const visit = ({ port }: Program, origin: string) =>
    connect({ port }, '/api/echo', { headers: { origin } }).then((client) => client.close());
  const fromHere = ({ port }: Program) => `http://127.0.0.1:${port}`;

  const plain = copyApp({ name: 'vite', page: ['docs/vite.md', 'as-a-proxy'] });
  describeCommonCheck({ name: 'Vite, proxy', packages: ['vite'], needs }, () => start(plain, ''), {
    prefix: '/api',
    more: (check, program) => {
      check('hot reload', 'the websocket of Vite tells a change of a module', () =>
        seeChange(plain, program()),
      );
    },
  });

  const changed = copyApp({ name: 'vite', page: ['docs/vite.md', 'as-a-proxy'] });
  describeCommonCheck(
    {
      name: 'Vite, proxy with `changeOrigin`',
      packages: ['vite'],
      needs: `${needs}; \`origins\` for its own pages`,
    },
    () => start(changed, ', changeOrigin: true'),
    {
      prefix: '/api',
      differences: {
        async '403'(program, see) {
          await expect(visit(program, fromHere(program))).rejects.toThrow('with 403');
          see('refuses its own pages, too');
        },
      },
    },
  );

  const rewritten = copyApp({ name: 'vite', page: ['docs/vite.md', 'as-a-proxy'] });
  describeCommonCheck(
    { name: 'Vite, proxy with `changeOrigin` and `rewriteWsOrigin`', packages: ['vite'], needs },
    () => start(rewritten, ', changeOrigin: true, rewriteWsOrigin: true'),
    {
      prefix: '/api',
      differences: {
        async '403'(program, see) {
          await visit(program, fromHere(program));
          await visit(program, 'https://evil.example');
          see('lets in pages of all sites');
        },
      },
    },
  );
});
