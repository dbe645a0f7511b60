import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { requireWebsocket } from 'dwebsocket';
import { createServer, type ProxyOptions, type UserConfig } from 'vite';
import { expect, onTestFinished, test } from 'vitest';
import { readDocument } from '../docs/document.js';
import { connect } from '../support/client.js';
import { serve } from '../support/serve.js';
import { watchWarnings } from '../support/warnings.js';

/** The proxy of the document's vite.config.js. */
async function readProxy(): Promise<Record<string, ProxyOptions>> {
  const { blocks } = readDocument('docs/vite.md');
  const { code } = blocks.find(({ anchor }) => anchor === 'as-a-proxy')!;
  const { default: config } = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as {
    default: UserConfig;
  };
  return config.server?.proxy as Record<string, ProxyOptions>;
}

/** Connects like a page of Vite's dev server, through its proxy, to an app beside it. */
async function visit(changes: ProxyOptions): Promise<string | Buffer> {
  const app = await serve(requireWebsocket(({ websocket }) => void websocket.send('hello')));
  const [[path, options] = []] = Object.entries(await readProxy());
  const root = mkdtempSync(join(tmpdir(), 'dwebsocket-vite-proxy-'));
  const target = (options?.target as string).replace('8000', String(app.port));
  const vite = await createServer({
    root,
    configFile: false,
    logLevel: 'silent',
    optimizeDeps: { noDiscovery: true },
    server: {
      host: '127.0.0.1',
      port: 0,
      watch: null,
      hmr: false,
      proxy: { [String(path)]: { ...options, target, ...changes } },
    },
  });
  onTestFinished(async () => {
    await vite.close();
    rmSync(root, { recursive: true });
  });
  await vite.listen();
  const { port } = vite.httpServer?.address() as AddressInfo;
  const client = await connect({ port, tls: false }, path, { origin: `http://127.0.0.1:${port}` });
  return client.next();
}

test('a page comes through the proxy of Vite, as the document sets it', async () => {
  expect(await visit({})).toBe('hello');
});

test('with changeOrigin it gets 403, and with rewriteWsOrigin as well it comes through', async () => {
  // They say the same as the 403.
  watchWarnings();
  await expect(visit({ changeOrigin: true })).rejects.toThrow('403');
  expect(await visit({ changeOrigin: true, rewriteWsOrigin: true })).toBe('hello');
});
