import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requirement } from '../../test/support/requirements.js';
import { installedVersion } from '../support/versions.js';
import { describeConversation, NO_COMPRESSION, type ConversingClient } from './support/conversation.js';
import { bun, deno, PYTHON, pythonVersion } from './support/installed.js';
import { debianVersion, programs, runClient, versionOf } from './support/run.js';

type Row = Omit<ConversingClient, 'converse'> & {
  /** Empty if it is not installed here. */
  version: string;
  /** What is missing then, if its name does not say it. */
  requires?: string;
  /** The command, to which the URL is added; or makes it, with files in a temporary folder. */
  command: readonly string[] | ((folder: string) => readonly string[]);
};

/** Calls a function with a temporary folder, which is removed afterwards. */
async function inFolder<T>(use: (folder: string) => T | Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'dwebsocket-client-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** It emits no 'close' for a refused handshake. */
const isOldNode = Number(process.versions.node.split('.')[0]) < 24;

/** The folder of a libcurl that is newer than the system's: Debian 12 has none with WebSocket, and its backports do. */
const { LIBCURL_FOLDER = '' } = process.env;
const buildCurl = (folder: string) => {
  const client = join(folder, 'curl-client');
  const { status } = spawnSync('cc', ['-o', client, 'curl.c', '-lcurl'], { cwd: programs });
  return status === 0 ? ['env', `LD_LIBRARY_PATH=${LIBCURL_FOLDER}`, client] : ['false'];
};

const ROWS: readonly Row[] = [
  {
    name: 'Python: websockets',
    version: pythonVersion('import websockets.version; print(websockets.version.version)'),
    command: [PYTHON, 'websockets_client.py'],
    refusal: 'status',
    loss: 'an error',
    compression: 'both ways',
    pings: 'both',
    parts: true,
  },
  {
    name: 'Python: aiohttp',
    version: pythonVersion('import aiohttp; print(aiohttp.__version__)'),
    command: [PYTHON, 'aiohttp_client.py'],
    refusal: 'status',
    loss: '`1006`',
    compression: 'both ways',
    pings: 'both',
  },
  {
    name: 'Go: gorilla/websocket',
    version: versionOf(['go', 'version']) && debianVersion('golang-github-gorilla-websocket-dev'),
    command: (folder) => {
      const env = { ...process.env, ...goEnvironment(folder) };
      execFileSync('go', ['build', '-o', join(folder, 'gorilla'), 'gorilla.go'], { cwd: programs, env });
      return [join(folder, 'gorilla')];
    },
    refusal: 'status and body',
    loss: '`1006`',
    compression: 'both ways',
    pings: 'both',
    parts: true,
  },
  {
    name: 'Java: HttpClient',
    version: versionOf(['java', '--version']),
    command: ['java', '-Xshare:auto', '-XX:TieredStopAtLevel=1', 'JavaClient.java'],
    refusal: 'status and body',
    loss: '`1006`',
    compression: NO_COMPRESSION,
    pings: 'both',
    parts: true,
  },
  {
    name: 'libcurl',
    version: await inFolder((folder) => versionOf([...buildCurl(folder), '--version'])),
    requires: 'libcurl with WebSocket, or cc,',
    needs: '[8.11, or a build with WebSocket](#libcurl)',
    command: buildCurl,
    refusal: 'status',
    loss: 'an error',
    compression: NO_COMPRESSION,
    pings: 'both',
    parts: true,
  },
  {
    name: 'libsoup',
    version: pythonVersion(
      "import gi; gi.require_version('Soup', '3.0'); from gi.repository import Soup; " +
        'print(Soup.get_major_version(), Soup.get_minor_version(), Soup.get_micro_version(), sep=".")',
    ),
    needs: '[for compression and long messages: two settings](#libsoup)',
    command: [PYTHON, 'soup_client.py'],
    refusal: 'status',
    loss: '`0`',
    compression: 'both ways',
    pings: 'both',
  },
  {
    name: 'Qt',
    version: pythonVersion(
      'from PyQt5.QtCore import QT_VERSION_STR; import PyQt5.QtWebSockets; print(QT_VERSION_STR)',
    ),
    needs: '[for subprotocols: a raw header](#qt)',
    command: [PYTHON, 'qt_client.py'],
    refusal: 'status in the text of the error',
    loss: '`1000` and an error',
    hidesProtocol: true,
    compression: NO_COMPRESSION,
    pings: 'both',
  },
  {
    name: 'Node’s own WebSocket',
    version: process.versions.node,
    needs: '[on Node 20: `--experimental-websocket`](#node-and-undici)',
    command: [process.execPath, '--experimental-websocket', 'global.mjs'],
    refusal: isOldNode ? 'an error, no status' : '`1006`, no status',
    loss: '`1006`',
    compression: 'of what it receives',
    pings: 'answers',
  },
  {
    name: 'undici: WebSocket',
    version: installedVersion('clients', 'undici'),
    command: [process.execPath, 'undici.mjs'],
    refusal: '`1006`, no status',
    loss: '`1006`',
    compression: 'of what it receives',
    pings: 'sends',
  },
  {
    name: 'undici: WebSocketStream',
    version: installedVersion('clients', 'undici'),
    command: [process.execPath, 'undici-stream.mjs'],
    refusal: 'an error, no status',
    loss: '`1006`',
    compression: 'of what it receives',
    pings: 'answers',
  },
  {
    name: 'Bun',
    version: bun && installedVersion('clients', 'bun'),
    command: [bun, 'global.mjs'],
    refusal: 'status in the text of the error',
    loss: '`1006`',
    compression: 'both ways',
    pings: 'answers',
  },
  {
    name: 'Deno',
    version: deno && installedVersion('clients', 'deno'),
    command: [deno, 'run', '--allow-all', 'global.mjs'],
    refusal: 'status in the text of the error',
    loss: '`0`',
    compression: NO_COMPRESSION,
    pings: 'answers',
  },
];

/** Debian's Go packages are no modules, and its compiler keeps what it has compiled. */
const goEnvironment = (folder: string) => ({
  GO111MODULE: 'off',
  GOPATH: '/usr/share/gocode',
  GOCACHE: join(folder, 'cache'),
});

for (const { command, requires, ...row } of ROWS)
  if (requirement(requires ?? row.name, row.version !== ''))
    describeConversation({
      ...row,
      converse: (server) =>
        inFolder((folder) => runClient(typeof command === 'function' ? command(folder) : command, server)),
    });
