import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createSocketPair } from '../../src/testing/memory-socket.js';

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

function openPair(): { client: Socket; server: Socket } {
  const pair = createSocketPair(false);
  onTestFinished(() => {
    pair.client.destroy();
    pair.server.destroy();
  });
  return pair;
}

/** Resolves with all received bytes when the stream ends. */
async function readAll(socket: Socket): Promise<string> {
  let all = '';
  for await (const chunk of socket) all += String(chunk);
  return all;
}

describe('both ends', () => {
  for (const [from, to] of [
    ['client', 'server'],
    ['server', 'client'],
  ] as const) {
    test(`data of the ${from} arrives at the ${to} in order`, async () => {
      const pair = openPair();
      for (let i = 0; i < 100; i++) pair[from].write(`${i} `);
      pair[from].end('end');
      expect(await readAll(pair[to])).toBe(`${Array.from({ length: 100 }, (_, i) => i).join(' ')} end`);
    });
  }

  test('have matching addresses', () => {
    const { client, server } = openPair();
    expect(server.remoteAddress).toBe('127.0.0.1');
    expect(server.remoteFamily).toBe('IPv4');
    expect(server.remotePort).toBe(client.localPort);
    expect(client.remotePort).toBe(server.localPort);
    expect(client.address()).toEqual({ address: '127.0.0.1', family: 'IPv4', port: client.localPort });
  });

  test('count their bytes', async () => {
    const { client, server } = openPair();
    client.write('hello');
    client.write('grüße');
    await once(server, 'readable');
    await nextTurn();
    await nextTurn();
    expect(client.bytesWritten).toBe(12);
    expect(server.bytesRead).toBe(12);
  });

  test('have the readyState of a socket', async () => {
    const { client, server } = openPair();
    expect([server.readyState, server.connecting, server.pending]).toEqual(['open', false, false]);
    server.resume();
    client.end();
    await once(server, 'end');
    expect(server.readyState).toBe('writeOnly');
    server.end();
    await once(server, 'close');
    expect(server.readyState).toBe('closed');
  });
});

test('data arrives after the call that sends it', async () => {
  const { client, server } = openPair();
  let arrived = false;
  server.on('data', () => (arrived = true));
  client.write('x');
  await Promise.resolve();
  expect(arrived).toBe(false);
  await once(server, 'data');
});

test('chunks that are written while corked arrive in one piece', async () => {
  const { client, server } = openPair();
  client.cork();
  for (const part of ['a', 'b', 'c']) client.write(part);
  client.uncork();
  const [data] = (await once(server, 'data')) as [Buffer];
  expect(data.toString()).toBe('abc');
});

test('a side that does not read stops the other side', async () => {
  const { client, server } = openPair();
  const block = Buffer.alloc(65_536);
  let written = 0;
  while (client.write(block)) {
    written++;
    await nextTurn();
  }
  expect(written).toBeLessThan(10);
  expect(client.writableNeedDrain).toBe(true);
  server.resume();
  await once(client, 'drain');
});

test('after end() of the other side the server stays half open, and the client ends', async () => {
  const { client, server } = openPair();
  server.resume();
  client.end('question');
  await once(server, 'end');
  server.write('answer');
  expect(String((await once(client, 'data'))[0])).toBe('answer');
  server.end();
  await Promise.all([once(client, 'close'), once(server, 'close')]);

  const other = openPair();
  other.client.resume();
  other.server.resume();
  other.server.end();
  await Promise.all([once(other.client, 'close'), once(other.server, 'close')]);
});

test('the other side of a destroyed socket reads earlier data and then the end', async () => {
  const { client, server } = openPair();
  client.write('last words');
  await nextTurn();
  client.destroy();
  expect(await readAll(server)).toBe('last words');
});

test('writing to a destroyed peer fails like TCP', async () => {
  const { client, server } = openPair();
  client.destroy();
  await once(client, 'close');
  server.write('x');
  const [error] = await once(server, 'error');
  expect(error).toMatchObject({ code: 'EPIPE' });
});

test('a reset is an error on the other side', async () => {
  const { client, server } = openPair();
  const failed = once(server, 'error');
  client.resetAndDestroy();
  expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' });
});

test('destroySoon sends pending data first', async () => {
  const { client, server } = openPair();
  client.write('a');
  client.destroySoon();
  expect(await readAll(server)).toBe('a');
  expect(client.destroyed).toBe(true);
  client.destroySoon();
});

test("the server's end is encrypted if requested", () => {
  expect(createSocketPair(true).server).toHaveProperty('encrypted', true);
  expect(createSocketPair(false).server).not.toHaveProperty('encrypted');
});
