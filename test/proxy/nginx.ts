import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { readDocument } from '../docs/document.js';
import { findFreePort } from '../support/free-port.js';
import { within } from '../support/inbox.js';
import { CERTIFICATE, type Site } from '../support/serve.js';

// Debian keeps it where only root looks.
const NGINX = existsSync('/usr/sbin/nginx') ? '/usr/sbin/nginx' : 'nginx';

export const hasNginx = spawnSync(NGINX, ['-v']).status === 0;

/** The snippet that docs/production.md recommends. */
export function recommendedSnippet(): string {
  const snippet = readDocument('docs/production.md').blocks.find(({ language }) => language === 'nginx');
  if (snippet === undefined) throw new Error('docs/production.md has no nginx snippet');
  return snippet.code;
}

/** The snippet with one piece replaced; it must be there. */
export function change(snippet: string, piece: string, replacement: string): string {
  if (!snippet.includes(piece)) throw new Error(`the snippet has no ${JSON.stringify(piece)}`);
  return snippet.replace(piece, replacement);
}

/** An nginx before an app. */
export interface Nginx extends Site {
  /** Ends it, and starts it again. Its port is the same. */
  restart(): Promise<void>;
  /** Lets it read its configuration again, if it `hasWorkers`: new ones take the place of those that run. */
  reload(): void;
}

/** A worker that a reload replaces ends its websockets after a second. */
const WORKERS = 'master_process on;\nuser root;\nworker_shutdown_timeout 1s;';

/** Runs nginx with a snippet before an app until the test has finished. */
export async function startNginx(
  app: Site,
  snippet: string,
  { tls = false, hasWorkers = false } = {},
): Promise<Nginx> {
  const prefix = mkdtempSync(join(tmpdir(), 'dwebsocket-nginx-'));
  mkdirSync(join(prefix, 'temp'));
  const port = await findFreePort();
  let servers = change(snippet, '127.0.0.1:8000', `127.0.0.1:${app.port}`);
  servers = change(servers, 'listen 80;', `listen 127.0.0.1:${port}${tls ? ' ssl' : ''};`);
  if (tls) {
    writeFileSync(join(prefix, 'key.pem'), CERTIFICATE.key);
    writeFileSync(join(prefix, 'certificate.pem'), CERTIFICATE.cert);
    servers = `ssl_certificate ${prefix}/certificate.pem;\nssl_certificate_key ${prefix}/key.pem;\n${servers}`;
  }
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  writeFileSync(
    join(prefix, 'nginx.conf'),
    `daemon off;
${hasWorkers ? WORKERS : 'master_process off;'}
pid ${prefix}/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  ${paths.map((path) => `${path}_temp_path ${prefix}/temp/${path};`).join('\n  ')}
  ${servers}
}
`,
  );
  let stop = async () => {};
  const start = async () => {
    const nginx = spawn(NGINX, ['-p', prefix, '-c', join(prefix, 'nginx.conf'), '-e', 'stderr'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const exit = once(nginx, 'exit');
    const errors = text(nginx.stderr);
    stop = async () => {
      // A master that is killed leaves its workers behind.
      nginx.kill(hasWorkers ? 'SIGTERM' : 'SIGKILL');
      await exit;
    };
    const failed = exit.then(async () => {
      throw new Error(`nginx has ended: ${await errors}`);
    });
    failed.catch(() => {});
    await within(Promise.race([waitForPort(port), failed]), 'start of nginx');
    return nginx;
  };
  onTestFinished(async () => {
    await stop();
    rmSync(prefix, { recursive: true });
  });
  let nginx = await start();
  const running: Partial<Nginx> = {
    port,
    tls,
    async restart() {
      await stop();
      nginx = await start();
    },
    reload: () => void nginx.kill('SIGHUP'),
  };
  return running as Nginx;
}

/** Resolves as soon as somebody listens. */
async function waitForPort(port: number): Promise<void> {
  for (let isOpen = false; !isOpen;) {
    const socket = connect({ port, host: '127.0.0.1' });
    isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
  }
}
