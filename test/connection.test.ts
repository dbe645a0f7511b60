import { once } from 'node:events';
import { Duplex, Writable } from 'node:stream';
import { expect, test, vi } from 'vitest';
import { requireWebsocket } from 'dwebsocket';
import { openRaw } from './support/raw-client.js';
import { close } from './support/raw-frames.js';
import { serve } from './support/serve.js';

test('the streams of a websocket that closes in order are ended once, and who asks later is told', async () => {
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
