import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { WebSocketClientTransport } from '@modelcontextprotocol/sdk/client/websocket.js';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { Inbox } from '../test/support/inbox.js';
import { openLossyLine } from './support/lossy-line.js';
import { serveBlock, type LibrarySite } from './support/serve-library.js';

const ends = new Inbox<number>();

/** The transport uses the WebSocket of the platform, which Node 20 does not have. */
class NotedWebSocket extends WebSocket {
  constructor(url: string, protocols: string) {
    super(url, protocols);
    this.on('close', (code) => {
      ends.push(code);
    });
  }
}

beforeEach(() => {
  vi.stubGlobal('WebSocket', NotedWebSocket);
});
afterEach(() => {
  vi.unstubAllGlobals();
  ends.rest();
});

async function serveMcp(): Promise<LibrarySite & { servers: Set<McpServer> }> {
  const site = await serveBlock('model-context-protocol');
  return { ...site, servers: site.exports.servers as Set<McpServer> };
}

async function connect(url: string): Promise<Client> {
  const client = new Client({ name: 'test', version: '1.0.0' });
  // The types of the SDK do not fit `exactOptionalPropertyTypes`.
  await client.connect(new WebSocketClientTransport(new URL(url)) as Parameters<Client['connect']>[0]);
  return client;
}

test('a client lists and calls tools, and its server closes with it', async () => {
  const { url, servers, expectQuiet } = await serveMcp();
  const client = await connect(url('/mcp'));
  expect(client.getServerVersion()).toEqual({ name: 'calculator', version: '1.0.0' });
  expect((await client.listTools()).tools).toMatchObject([{ name: 'add' }]);
  const { content } = await client.callTool({ name: 'add', arguments: { a: 1, b: 2 } });
  expect(content).toEqual([{ type: 'text', text: '3' }]);
  expect(servers.size).toBe(1);
  await client.close();
  await expectQuiet();
  expect(servers.size).toBe(0);
});

test('the server of a client closes when the connection is lost', async () => {
  const { port, servers, expectQuiet } = await serveMcp();
  const line = await openLossyLine(port);
  await connect(line.url('/mcp'));
  expect(servers.size).toBe(1);
  line.lose();
  await expect.poll(() => servers.size).toBe(0);
  await expectQuiet();
});

test('a server that closes closes the websocket', async () => {
  const { url, servers, expectQuiet } = await serveMcp();
  await connect(url('/mcp'));
  const [server] = servers;
  await server?.close();
  expect(await ends.next('close')).toBe(1000);
  await expectQuiet();
});

test('a message that is not of the protocol closes with 1007', async () => {
  const { url, expectQuiet } = await serveMcp();
  const socket = new NotedWebSocket(url('/mcp'), 'mcp');
  socket.on('open', () => {
    socket.send('{"hello":"world"}');
  });
  expect(await ends.next('close')).toBe(1007);
  await expectQuiet();
});

test('a shutdown closes with 1001', async () => {
  const { url, servers, shutDown, expectQuiet } = await serveMcp();
  await connect(url('/mcp'));
  await shutDown();
  expect(await ends.next('close')).toBe(1001);
  await expect.poll(() => servers.size).toBe(0);
  await expectQuiet();
});
