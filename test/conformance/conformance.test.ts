import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectRaw } from '../support/raw-client.js';
import { close, encodeServerFrame, Opcode, text } from '../support/raw-frames.js';
import type { HandshakeCase } from './case.js';
import { sections, handshakeSections } from './cases/index.js';
import { decode, deliveries, fits, talk } from './talk.js';
import { openTarget, type Target } from './target.js';

for (const section of sections) {
  describe(section.name, () => {
    const target = useTarget(section.options);
    for (const delivery of deliveries) {
      const cases = section.cases.filter((row) => fits(row, delivery));
      test.each(cases)(`$name (${delivery})`, async (row) => {
        await talk(target(), row, delivery);
      });
    }
  });
}

for (const section of handshakeSections) {
  describe(section.name, () => {
    const target = useTarget(section.options);
    test.each(section.cases)('$name', async (row) => {
      await greet(target(), row);
    });
  });
}

test('docs/conformance.md tells how many cases each table has', async () => {
  const text = await readFile(new URL('../../docs/conformance.md', import.meta.url), 'utf8');
  const page = text.replace(/ +/g, ' '); // without the padding of its columns
  const all = [...sections, ...handshakeSections];
  for (const { name, cases } of all) expect(page).toContain(`| ${name} | ${String(cases.length)} |`);
  expect(page).toContain(`| all | ${String(all.flatMap(({ cases }) => cases as unknown[]).length)} |`);
});

async function greet(target: Target, row: HandshakeCase): Promise<void> {
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

function useTarget(options: Parameters<typeof openTarget>[0]): () => Target {
  let target: Target | undefined;
  beforeAll(async () => {
    target = await openTarget(options);
  });
  afterAll(async () => {
    await target?.stop();
  });
  return () => {
    if (target === undefined) throw new Error('the server is not up');
    return target;
  };
}
