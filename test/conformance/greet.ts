import { expect } from 'vitest';
import { connectRaw } from '../support/raw-client.js';
import { close, encodeServerFrame, Opcode, text } from '../support/raw-frames.js';
import type { HandshakeCase } from './case.js';
import { decode } from './talk.js';
import type { Target } from './target.js';

/** Sends one handshake, and compares the answer. */
export async function greet(target: Target, row: HandshakeCase): Promise<void> {
  const client = await connectRaw(target.port, { request: Buffer.from(row.request, 'latin1') });
  try {
    const response = await client.response();
    expect(response.head).toMatch(/^HTTP\/1\.1 \d{3} /);
    expect(response.status).toBe(row.status);
    for (const [name, value] of Object.entries(row.headers ?? {})) {
      expect(`${name}: ${String(response.headers.get(name) ?? null)}`).toBe(`${name}: ${String(value)}`);
    }
    if (row.status === 101) {
      expect(response.headers.get('upgrade')).toBe('websocket');
      expect(response.headers.get('connection')).toBe('Upgrade');
      expect(response.headers.has('content-length')).toBe(false);
      expect(response.headers.has('transfer-encoding')).toBe(false);
      client.write(text('Hello'));
      await client.until(() => client.frames.length > 0, 'an echo');
      client.write(close(1000));
      expect(await client.end()).toBe('end');
      expect(await decode(client)).toEqual([encodeServerFrame(Opcode.text, 'Hello')]);
    } else {
      if (row.status !== 200) expect(await client.end()).toBe('end');
      else await client.until(() => response.body() !== '', 'a body');
      expect(response.body()).toMatch(row.body ?? /^/);
    }
  } finally {
    client.destroy();
  }
}
