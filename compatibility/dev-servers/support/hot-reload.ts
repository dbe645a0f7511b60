import { expect } from 'vitest';
import { connect, type Client, type ConnectOptions } from '../../../test/support/client.js';
import type { Program } from '../../support/program.js';

/** Opens the websocket over which Vite tells its client in a page of changes. */
export async function connectToVite(program: Program, base = '/'): Promise<Client> {
  const client = await fetchText(program, `${base}@vite/client`);
  const [, token] = /wsToken = "([^"]+)"/.exec(client) ?? [];
  if (token === undefined) throw new Error('the client of Vite has no token');
  const path = `${base}?token=${token}`;
  const socket = await connectAsPage(program, path, { protocols: ['vite-hmr'] });
  expect(JSON.parse(String(await socket.next()))).toEqual({ type: 'connected' });
  return socket;
}

/** Connects as a page of the server does. */
export function connectAsPage(program: Program, path: string, options: ConnectOptions = {}): Promise<Client> {
  return connect(program, path, { origin: `http://127.0.0.1:${program.port}`, ...options });
}

/** Takes messages until one fits. */
export async function takeUntil(client: Client, pattern: RegExp): Promise<string> {
  while (true) {
    const message = String(await client.next());
    if (pattern.test(message)) return message;
  }
}

/** Gets a page as a browser does. */
export async function fetchText({ port }: Program, path: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { accept: 'text/html' } });
  return response.text();
}
