import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Express } from 'express';
import { createServer, type InlineConfig, type ViteDevServer } from 'vite';
import { expect, onTestFinished } from 'vitest';
import { connect } from '../../support/client.js';
import { request } from '../../support/request.js';
import type { Site } from '../../support/serve.js';
import type { Guest, Neighbour } from './neighbour.js';

/** The dev server of Vite as a middleware, with hot module replacement over the same server. */
export const vite: Neighbour = {
  name: 'Vite in middleware mode with HMR',
  strangers: 'leaves',
  async join(server, app) {
    const { dev, guest } = await startVite({
      server: { middlewareMode: true, watch: null, hmr: { server } },
    });
    app.use(dev.middlewares);
    return guest;
  },
};

/** The dev server of Vite on its own port, with an app inside. */
export async function serveInVite(
  app: Express,
  onServer: (server: Server) => void,
): Promise<{ site: Site; guest: Guest }> {
  const { dev, guest } = await startVite({
    server: { host: '127.0.0.1', port: 0, watch: null },
    plugins: [
      {
        name: 'app',
        configureServer({ httpServer, middlewares }) {
          onServer(httpServer as Server);
          middlewares.use(app);
        },
      },
    ],
  });
  await dev.listen();
  const server = dev.httpServer as Server;
  const { port } = server.address() as AddressInfo;
  return { site: { server, port, tls: false, sockets: new Set() }, guest };
}

async function startVite(config: InlineConfig): Promise<{ dev: ViteDevServer; guest: Guest }> {
  let visits = 0;
  let connections = 0;
  const root = mkdtempSync(join(tmpdir(), 'dwebsocket-vite-'));
  const file = join(root, 'main.js');
  const write = (value: number) => {
    writeFileSync(file, `export const value = ${value};\nimport.meta.hot?.accept();\n`);
  };
  write(0);
  // Without a file watcher, so that the test decides when a file changes.
  const dev = await createServer({
    root,
    configFile: false,
    logLevel: 'silent',
    appType: 'custom',
    optimizeDeps: { noDiscovery: true },
    ...config,
  });
  dev.ws.on('connection', () => connections++);
  onTestFinished(async () => {
    await dev.close();
    rmSync(root, { recursive: true });
  });

  /** The token that Vite's own client in the browser sends. */
  async function readToken(site: Site): Promise<string> {
    const { body } = await request(site, '/@vite/client');
    const [, token] = /wsToken = "([^"]+)"/.exec(body) ?? [];
    expect(token).toBeDefined();
    return token!;
  }

  const guest: Guest = {
    async visit(site) {
      visits++;
      const client = await connect(site, `/?token=${await readToken(site)}`, {
        protocols: ['vite-hmr'],
        origin: `http://127.0.0.1:${site.port}`,
      });
      expect(JSON.parse(String(await client.next()))).toEqual({ type: 'connected' });
      expect((await request(site, '/main.js')).body).toContain('export const value');
      write(visits);
      dev.watcher.emit('change', file);
      const update: unknown = JSON.parse(String(await client.next()));
      expect(update).toMatchObject({ type: 'update', updates: [{ path: '/main.js' }] });
      await client.close();
    },
    expectUndisturbed() {
      expect(connections).toBe(visits);
    },
  };
  return { dev, guest };
}
