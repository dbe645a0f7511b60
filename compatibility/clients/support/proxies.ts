import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Subject } from '../../support/subject.js';
import type { Changes, Place, ProxyProgram } from './proxy.js';
import { versionOf } from './run.js';

/** A proxy in the table. */
export interface ProxyRow extends ProxyProgram {
  readonly name: string;
  /** Empty if it is not installed here. */
  readonly version: string;
  readonly needs: string;
  /** Whether it ends idle connections. */
  readonly endsIdle: boolean;
  /** What the table says of HTTP/2 to browsers; see `conversation.ts`. */
  readonly http2?: string;
}

/** Debian keeps them where only root looks. */
const find = (name: string) =>
  ['/usr/sbin', '/usr/bin'].map((folder) => join(folder, name)).find(existsSync) ?? name;

const NGINX = find('nginx');
const HAPROXY = find('haproxy');
const CADDY = find('caddy');
const APACHE = find('apache2');
const NGHTTPX = find('nghttpx');
const VARNISH = find('varnishd');

const shorten = (impatient: boolean, long: string, short: string): Changes =>
  impatient ? [[long, short]] : [];

const NGINX_TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
export const nginx: ProxyRow = {
  name: 'nginx',
  version: versionOf([NGINX, '-v']),
  needs: '[`Upgrade`, `Connection`, `Host`](production.md#behind-nginx)',
  http2: 'websockets use HTTP/1.1',
  page: 'docs/production.md',
  anchor: 'behind-nginx',
  file: 'nginx.conf',
  changes: ({ port, app, impatient }) => [
    ['127.0.0.1:8000', `127.0.0.1:${app}`],
    ['listen 80;', `listen 127.0.0.1:${port};`],
    ...shorten(impatient, 'proxy_read_timeout 60s;', 'proxy_read_timeout 2s;'),
  ],
  endsIdle: true,
  before: ({ folder }) => `daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  ${NGINX_TEMPORARY.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
`,
  after: '}\n',
  command: ({ folder }) => [NGINX, '-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr'],
};

/** With a header that tells the HTTP version of the browser. */
export const nginxHttp2: ProxyRow = {
  ...nginx,
  changes: ({ folder, port, app }) => [
    ['127.0.0.1:8000', `127.0.0.1:${app}`],
    [
      'listen 80;',
      `listen 127.0.0.1:${port} ssl http2;
       ssl_certificate ${folder}/certificate.pem;
       ssl_certificate_key ${folder}/key.pem;`,
    ],
    [
      'proxy_set_header Host $http_host;',
      'proxy_set_header Host $http_host; proxy_set_header X-Front-Version $server_protocol;',
    ],
  ],
};

const startHaproxy = ({ folder }: Place) => [HAPROXY, '-db', '-f', join(folder, 'haproxy.cfg')];
export const haproxy: ProxyRow = {
  name: 'HAProxy',
  version: versionOf([HAPROXY, '-v']),
  needs: '[`timeout tunnel`](#haproxy)',
  http2: 'yes',
  page: 'docs/clients.md',
  anchor: 'haproxy',
  file: 'haproxy.cfg',
  changes: ({ port, app, impatient }) => [
    ['bind :80\n', `bind 127.0.0.1:${port}\n`],
    ['127.0.0.1:8000', `127.0.0.1:${app}`],
    ...shorten(impatient, 'timeout tunnel 60s', 'timeout tunnel 2s'),
  ],
  endsIdle: true,
  command: startHaproxy,
};

/** With a header that tells the HTTP version of the browser. */
export const haproxyHttp2: ProxyRow = {
  ...haproxy,
  anchor: 'haproxy-with-http2',
  changes: ({ folder, port, app }) => [
    ['bind :443', `bind 127.0.0.1:${port}`],
    ['/etc/haproxy/example.org.pem', `${folder}/site.pem`],
    [
      'server app 127.0.0.1:8000',
      `http-request set-header X-Front-Version %[req.ver]\n  server app 127.0.0.1:${app}`,
    ],
  ],
};

export const caddy: ProxyRow = {
  name: 'Caddy',
  version: versionOf([CADDY, 'version']),
  needs: '[nothing](#caddy)',
  http2: 'websockets use HTTP/1.1',
  page: 'docs/clients.md',
  anchor: 'caddy',
  file: 'Caddyfile',
  changes: ({ port, app }) => [
    ['example.org', `http://127.0.0.1:${port}`],
    ['127.0.0.1:8000', `127.0.0.1:${app}`],
  ],
  // It has no time-out for them.
  endsIdle: false,
  before: ({ folder }) => `{
  admin unix/${folder}/admin.sock
  auto_https disable_redirects
  storage file_system ${folder}
}
`,
  command: ({ folder }) => [CADDY, 'run', '--config', join(folder, 'Caddyfile'), '--adapter', 'caddyfile'],
};

/** Makes it load its configuration again. */
export async function reloadCaddy(folder: string): Promise<void> {
  const options = ['--config', join(folder, 'Caddyfile'), '--adapter', 'caddyfile', '--force'];
  await promisify(execFile)(CADDY, ['reload', ...options, '--address', `unix/${folder}/admin.sock`]);
}

/** With a header that tells the HTTP version of the browser. */
export const caddyHttp2: ProxyRow = {
  ...caddy,
  changes: ({ folder, port, app }) => [
    ['example.org {', `https://127.0.0.1:${port} {\n  tls ${folder}/certificate.pem ${folder}/key.pem`],
    ['127.0.0.1:8000', `127.0.0.1:${app} {\n    header_up X-Front-Version {http.request.proto}\n  }`],
  ],
};

const APACHE_MODULES = ['mpm_event', 'authz_core', 'headers', 'proxy', 'proxy_http'];
const loadModules = (names: readonly string[]) =>
  names.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so\n`).join('');
const apacheBefore =
  (more: readonly string[] = []) =>
  ({ folder, port }: Place) => `ServerRoot ${folder}
ServerName 127.0.0.1
PidFile ${folder}/apache.pid
DefaultRuntimeDir ${folder}
Mutex file:${folder}
ErrorLog /dev/stderr
StartServers 1
Listen 127.0.0.1:${port}
${loadModules([...APACHE_MODULES, ...more])}`;
const startApache = ({ folder }: Place) => [APACHE, '-DFOREGROUND', '-f', join(folder, 'apache.conf')];
export const apache: ProxyRow = {
  name: 'Apache',
  version: versionOf([APACHE, '-v']),
  needs: '[`upgrade=websocket`, `ProxyPreserveHost On`](#apache)',
  http2: 'websockets use HTTP/1.1',
  page: 'docs/clients.md',
  anchor: 'apache',
  file: 'apache.conf',
  changes: ({ port, app, impatient }) => [
    ['*:80', `*:${port}`],
    ['127.0.0.1:8000', `127.0.0.1:${app}`],
    ...shorten(impatient, 'Timeout 60', 'Timeout 2'),
  ],
  endsIdle: true,
  before: apacheBefore(),
  command: startApache,
};

/** With a header that tells the HTTP version of the browser. */
export const apacheHttp2: ProxyRow = {
  ...apache,
  anchor: 'apache-with-http2',
  changes: ({ folder, port, app }) => [
    ['*:443', `*:${port}`],
    ['/etc/ssl/example.org', folder],
    ['127.0.0.1:8000', `127.0.0.1:${app}`],
    [
      'ProxyPreserveHost On',
      'ProxyPreserveHost On\n  RequestHeader set X-Front-Version expr=%{SERVER_PROTOCOL}',
    ],
  ],
  before: apacheBefore(['ssl', 'http2', 'socache_shmcb']),
};

/** What the page advises against. */
export const apacheWithH2WebSockets: ProxyRow = {
  ...apacheHttp2,
  changes: (place) => [
    ['Protocols h2 http/1.1', 'Protocols h2 http/1.1\n  H2WebSockets On\n  Timeout 5'],
    ...apacheHttp2.changes(place),
  ],
};

const startNghttpx = ({ folder }: Place) => [NGHTTPX, `--conf=${join(folder, 'nghttpx.conf')}`];
export const nghttpx: ProxyRow = {
  name: 'nghttpx',
  version: versionOf([NGHTTPX, '--version']),
  needs: '[nothing](#nghttpx)',
  http2: 'yes',
  page: 'docs/clients.md',
  anchor: 'nghttpx',
  file: 'nghttpx.conf',
  changes: ({ port, app, impatient }) => [
    ['frontend=*,80;no-tls', `frontend=127.0.0.1,${port};no-tls`],
    ['backend=127.0.0.1,8000', `backend=127.0.0.1,${app}`],
    ...shorten(impatient, '-read-timeout=1m', '-read-timeout=2s'),
  ],
  endsIdle: true,
  after: 'workers=1\nsingle-process=yes\n',
  command: startNghttpx,
};

/** Its header `Via` tells the HTTP version of the browser. */
export const nghttpxHttp2: ProxyRow = {
  ...nghttpx,
  anchor: 'nghttpx-with-http2',
  changes: ({ folder, port, app }) => [
    ['frontend=*,443', `frontend=127.0.0.1,${port}`],
    ['/etc/ssl/example.org', folder],
    ['backend=127.0.0.1,8000', `backend=127.0.0.1,${app}`],
  ],
};

export const varnish: ProxyRow = {
  name: 'Varnish',
  version: versionOf([VARNISH, '-V']),
  needs: '[`return (pipe)`, `Upgrade`, `Connection`](#varnish)',
  page: 'docs/clients.md',
  anchor: 'varnish',
  file: 'site.vcl',
  changes: ({ app }) => [['"8000"', `"${app}"`]],
  endsIdle: true,
  command: ({ folder, port, impatient }) => [
    ...[VARNISH, '-F', '-j', 'none', '-n', join(folder, 'work'), '-T', 'none'],
    ...[
      '-f',
      join(folder, 'site.vcl'),
      '-a',
      `127.0.0.1:${port}`,
      '-s',
      'malloc,16M',
      '-p',
      `pipe_timeout=${impatient ? 2 : 60}`,
    ],
  ],
};

/** The row of the table. */
export const subjectOf = ({ name, version, needs }: ProxyRow): Subject => ({
  name: `Proxy: ${name}`,
  version,
  needs,
});
