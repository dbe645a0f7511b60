import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { connect } from '../../../test/support/client.js';
import { openRaw } from '../../../test/support/raw-client.js';
import { close, closeCodeOf, encodeServerFrame, Opcode, text } from '../../../test/support/raw-frames.js';
import { describeCommonCheck } from '../../support/common-check.js';
import { startProgram, type Program } from '../../support/program.js';
import type { Check } from '../../support/subject.js';
import { folder, isInstalled, type Runtime } from './runtimes.js';

const MiB = 2 ** 20;

/** Defines the common check on a runtime, and the tests of all that leans on the runtime's sockets. */
export function describeRuntime(runtime: Runtime): void {
  describe.runIf(isInstalled(runtime))(`the app on ${runtime.name}`, () => {
    const start = () => startProgram([...runtime.command, `${folder}app.mjs`], { cwd: folder });
    describeCommonCheck(runtime, start, { more: checkFeatures });
  });
}

function checkFeatures(check: Check, program: () => Program): void {
  check(
    'features',
    "the response emits 'finish' and 'close' with 101 when the websocket has ended",
    async () => {
      const client = await connect(program(), '/logged');
      await client.flush();
      const logged = () => program().lines.filter((line) => line.endsWith('/logged'));
      expect(logged()).toEqual([]);
      await client.close(1000);
      await program().printed(/close \d+ \/logged/);
      expect(logged()).toEqual(['finish 101 /logged', 'close 101 /logged']);
    },
  );

  check('features', 'close codes and reasons arrive on both sides', async () => {
    for (const code of [1000, 1008, 4321]) {
      const client = await connect(program(), `/close/${code}`);
      expect(await client.closed()).toEqual({ code, reason: 'enough' });
    }
    const client = await connect(program(), '/heartbeat');
    await client.close(4000, 'bye');
    await program().printed(/heartbeat ended with 4000/);
  });

  check(
    'limits',
    '`await send()` waits for a client that does not read, and goes on when it reads',
    async () => {
      const client = await openRaw(program().port, { path: '/push' });
      client.socket.pause();
      const sent = () => getNumber(program(), '/sent');
      const stopped = await settled(sent);
      // A few MiB are in the buffers of the kernel.
      expect(stopped).toBeLessThan(64);
      client.socket.resume();
      await expect.poll(sent).toBeGreaterThan(stopped + 20);
      client.destroy();
    },
  );

  check('limits', 'a client that sends more than `maxQueue` is stopped until the handler reads', async () => {
    const client = await openRaw(program().port, { path: '/held' });
    const message = text('x'.repeat(10_000));
    let count = 0;
    while (client.socket.writableLength < 4 * MiB && count < 5_000) {
      client.write(message);
      count++;
      await new Promise(setImmediate);
    }
    expect(client.socket.writableLength).toBeGreaterThan(MiB);
    client.write(text('end'));
    program().child.kill('SIGUSR2');
    await program().printed(/held \d+, read/);
    const [, held = ''] = /held (\d+)/.exec(await program().printed(/held \d+, read/)) ?? [];
    expect(Number(held)).toBeLessThan(50);
    await program().printed(new RegExp(`held in all ${count + 1}$`));
    client.destroy();
  });

  check('features', 'permessage-deflate is agreed on, and compresses', async () => {
    const client = await connect(program(), '/deflate');
    expect(client.ws.extensions).toBe('permessage-deflate');
    const repeated = 'hello '.repeat(100_000);
    client.send(repeated);
    expect((await client.next()) === repeated).toBe(true);
    const raw = await openRaw(program().port, {
      path: '/deflate',
      headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate' },
    });
    raw.write(text(repeated));
    const frame = await raw.nextFrame();
    expect(frame?.payload.length).toBeLessThan(repeated.length / 100);
    raw.destroy();
  });

  check('limits', 'bytes that are no frame close with 1002, and the connection ends', async () => {
    const client = await openRaw(program().port, { path: '/echo' });
    client.write(Buffer.from([0xff, 0xff, 0, 0]));
    const frame = await client.nextFrame();
    expect(frame && closeCodeOf(frame)).toBe(1002);
    expect(await client.end()).toBe('end');
    client.destroy();
  });

  check('limits', 'a message longer than `maxPayload` closes with 1009', async () => {
    const client = await connect(program(), '/echo');
    client.send(Buffer.alloc(MiB + 1));
    expect((await client.closed()).code).toBe(1009);
  });

  check('limits', 'a client that resets the connection ends its handler, and the app serves on', async () => {
    const client = await openRaw(program().port, { path: '/heartbeat' });
    client.reset();
    await program().printed(/heartbeat ended with 1006/);
    const other = await connect(program(), '/echo');
    other.send('alive');
    expect(await other.next()).toBe('alive');
  });

  check('limits', 'an idle client is pinged, and one that does not answer is disconnected', async () => {
    const client = await openRaw(program().port, { path: '/heartbeat' });
    await client.until(() => client.framesOf(Opcode.ping).length >= 2, 'two pings');
    await client.end();
    client.destroy();
    const answering = await connect(program(), '/heartbeat');
    for (let pings = 0; pings < 4; pings++) await once(answering.ws, 'ping');
    await answering.flush();
  });

  check('features', 'a group sends to its other members', async () => {
    const [one, two, three] = [
      await connect(program(), '/group'),
      await connect(program(), '/group'),
      await connect(program(), '/group'),
    ];
    await Promise.all([one, two, three].map((each) => each.flush()));
    one.send('hello');
    expect(await two.next()).toBe('hello');
    expect(await three.next()).toBe('hello');
    await one.flush();
    expect(one.unread()).toEqual([]);
  });

  check('features', 'a library of the user does the handshake with `passUpgrade`', async () => {
    const client = await connect(program(), '/passed');
    client.send('text', Buffer.from([1, 2]));
    expect(await client.take(2)).toEqual(['text', Buffer.from([1, 2])]);
    expect((await client.close(4001)).code).toBe(4001);
    await program().printed(/finish 101 \/passed/);
    const raw = await openRaw(program().port, { path: '/by-hand' });
    raw.write(encodeServerFrame(Opcode.text, 'x'));
    expect((await raw.nextFrame())?.payload.toString()).toBe('x');
    raw.socket.end();
    await raw.end();
    await program().printed(/finish 101 \/by-hand/);
  });

  for (const path of ['/handed-over', '/stream', '/web-stream'])
    check('features', `${path} echoes: handOver(), stream(), readable and writable`, async () => {
      const client = await connect(program(), path);
      const bytes = randomBytes(300_000);
      client.send(bytes);
      expect(((await client.next()) as Buffer).equals(bytes)).toBe(true);
      expect((await client.close(1000)).code).toBe(1000);
    });

  check('features', 'a message right behind the handshake, and a handshake in pieces, arrive', async () => {
    const early = await openRaw(program().port, { path: '/echo', early: text('early') });
    expect((await early.nextFrame())?.payload.toString()).toBe('early');
    early.write(close(1000));
    expect(await early.end()).toBe('end');
  });

  check('features', 'a server of node:https is found, and its websockets work', async () => {
    const [, port] = /port (\d+)/.exec(await program().printed(/secure port/)) ?? [];
    const client = await connect({ port: Number(port), tls: true }, '/echo', {
      headers: { origin: `https://127.0.0.1:${port}` },
    });
    const bytes = randomBytes(MiB);
    client.send('hello', bytes);
    expect(await client.next()).toBe('hello');
    expect(((await client.next()) as Buffer).equals(bytes)).toBe(true);
    expect((await client.close(1000)).code).toBe(1000);
  });

  check('features', 'closes all websockets with 1001, and the server serves on', async () => {
    const client = await connect(program(), '/echo');
    const url = `http://127.0.0.1:${program().port}/close-websockets`;
    const response = await fetch(url, { method: 'POST' });
    expect(await response.text()).toBe('closed');
    expect((await client.closed()).code).toBe(1001);
    await connect(program(), '/echo');
  });
}

async function getNumber({ port }: Program, path: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return (await response.json()) as number;
}

/** Reads a number until it stays the same for half a second: there is no event for what does not happen. */
async function settled(read: () => Promise<number>): Promise<number> {
  let last = -1;
  let now = await read();
  while (now !== last || now === 0) {
    last = now;
    await sleep(500);
    now = await read();
  }
  return now;
}
