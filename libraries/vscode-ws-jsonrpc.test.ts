import { once } from 'node:events';
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MessageConnection } from 'vscode-jsonrpc';
import { createWebSocketConnection, toSocket, type IWebSocket } from 'vscode-ws-jsonrpc';
import { expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { openLossyLine } from './support/lossy-line.js';
import { serveBlock, type LibrarySite } from './support/serve-library.js';

const logger = { error: fail, warn: fail, info: fail, log: fail };

function fail(message: string): void {
  throw new Error(message);
}

interface Editor {
  connection: MessageConnection;
  socket: WebSocket;
}

async function connect(url: string): Promise<Editor> {
  const socket = new WebSocket(url);
  onTestFinished(() => {
    socket.terminate();
  });
  await once(socket, 'open');
  const connection = createWebSocketConnection(toSocket(socket as never) satisfies IWebSocket, logger);
  connection.listen();
  return { connection, socket };
}

interface EditorSite extends LibrarySite {
  /** The processes of language servers, or the connections of the server in this process. */
  count(): number;
}

async function serveProcesses(): Promise<EditorSite> {
  const programs = fileURLToPath(new URL('node_modules/.bin', import.meta.url));
  vi.stubEnv('PATH', [programs, process.env.PATH].join(delimiter));
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  const site = await serveBlock('language-servers');
  return {
    ...site,
    count: () => process.getActiveResourcesInfo().filter((kind) => kind === 'ProcessWrap').length,
  };
}

async function serveInProcess(): Promise<EditorSite> {
  const site = await serveBlock('a-language-server-in-the-same-process');
  const editors = site.exports.editors as Set<MessageConnection>;
  return { ...site, count: () => editors.size };
}

test('an editor in the browser asks the process of a language server', async () => {
  const { url, count, expectQuiet } = await serveProcesses();
  const { connection, socket } = await connect(url('/typescript'));
  const path = fileURLToPath(new URL('../node_modules/typescript/lib', import.meta.url));
  await connection.sendRequest('initialize', {
    processId: null,
    rootUri: null,
    capabilities: {},
    // It would ask the registry of npm for types.
    initializationOptions: { tsserver: { path }, disableAutomaticTypingAcquisition: true },
  });
  await connection.sendNotification('initialized', {});
  const uri = 'file:///a.ts';
  const textDocument = { uri, languageId: 'typescript', version: 1, text: 'const answer = [42];' };
  await connection.sendNotification('textDocument/didOpen', { textDocument });
  const hover = { textDocument: { uri }, position: { line: 0, character: 8 } };
  const answer = await connection.sendRequest('textDocument/hover', hover);
  expect(JSON.stringify(answer)).toContain('const answer: number[]');
  expect(count()).toBe(1);
  socket.close(1000);
  await expect.poll(count).toBe(0);
  await expectQuiet();
});

const servers = [
  ['a process', '/typescript', serveProcesses],
  ['this process', '/greetings', serveInProcess],
] as const;

test('an editor in the browser asks a language server in the same process', async () => {
  const { url, count, expectQuiet } = await serveInProcess();
  const { connection, socket } = await connect(url('/greetings'));
  expect(await connection.sendRequest('initialize', {})).toEqual({ capabilities: { hoverProvider: true } });
  expect(await connection.sendRequest('textDocument/hover', {})).toEqual({ contents: 'Hello!' });
  expect(count()).toBe(1);
  socket.close(1000);
  await expect.poll(count).toBe(0);
  await expectQuiet();
});

test.each(servers)('a language server in %s ends when the connection is lost', async (_name, path, serve) => {
  const { port, count, expectQuiet } = await serve();
  const line = await openLossyLine(port);
  await connect(line.url(path));
  await expect.poll(count).toBe(1);
  line.lose();
  await expect.poll(count).toBe(0);
  await expectQuiet();
});

test.each(servers)('a language server in %s ends at a shutdown, with 1001', async (_name, path, serve) => {
  const { url, count, shutDown, expectQuiet } = await serve();
  const { socket } = await connect(url(path));
  await expect.poll(count).toBe(1);
  const closed = once(socket, 'close');
  await shutDown();
  expect((await closed)[0]).toBe(1001);
  await expect.poll(count).toBe(0);
  await expectQuiet();
});
