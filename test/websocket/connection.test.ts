import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { Duplex, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test, vi } from 'vitest';
import { requireWebsocket } from 'dwebsocket';
import { openRaw } from '../support/raw-client.js';
import { close } from '../support/raw-frames.js';
import { serve } from '../support/serve.js';

test('a closing handshake ends each stream once, and a later end() still calls its callback', async () => {
  const ended: Writable[] = [];
  for (const { prototype } of [Writable, Duplex]) {
    const end = Reflect.get(prototype, 'end') as (...rest: unknown[]) => Writable;
    vi.spyOn(prototype, 'end').mockImplementation(function (this: Writable, ...rest: unknown[]) {
      ended.push(this);
      return end.apply(this, rest);
    });
  }
  const site = await serve(requireWebsocket((req) => req.websocket.closed.then(() => undefined)));
  const client = await openRaw(site.port);
  const [socket] = site.sockets;
  if (socket === undefined) throw new Error('no connection');
  const closed = once(socket, 'close');
  client.write(close(1000));
  await closed;
  expect(ended.filter((stream) => stream === socket)).toHaveLength(1);
  expect(ended.filter(({ constructor }) => constructor.name === 'Receiver')).toHaveLength(1);

  const error = await new Promise((resolve) => {
    (socket as Writable).end(resolve);
  });
  expect(error).toMatchObject({ code: 'ERR_STREAM_ALREADY_FINISHED' });
  client.destroy();
  vi.restoreAllMocks();
});

test('if the browser version of ws is loaded, as in Jest with jsdom, the error says what to do', async () => {
  const file = fileURLToPath(new URL('../../src/index.ts', import.meta.url));
  const load = `try { require(${JSON.stringify(file)}) } catch (error) { console.log(error.message) }`;
  // CommonJS, like the built package.
  const args = ['--conditions=browser', '--require', 'tsx/cjs', '-e', load];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  expect(stdout).toMatch(
    /^dwebsocket needs the Node version of "ws", but the empty browser version was loaded/,
  );
  for (const cure of ['@jest-environment node', "customExportConditions: ['node']"])
    expect(stdout).toContain(cure);
});
