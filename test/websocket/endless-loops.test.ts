import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../support/client.js';
import { defer, within } from '../support/inbox.js';
import { startProgram } from '../support/program.js';
import { LOOPS } from '../support/programs/loops.js';
import { handshakeRequest } from '../support/raw-client.js';
import { close } from '../support/raw-frames.js';

/*
 * Each loop runs in a separate process. A loop that blocks its process would also block the test, and a loop that catches
 * every error never ends.
 */
test.for(Object.keys(LOOPS))(
  'a loop around %s that ignores the close does not block other clients',
  async (loop) => {
    const { site } = await startProgram('endless-loops');
    const other = await connect(site, '/echo');
    const clients: Socket[] = [];
    for (let i = 0; i < 3; i++) clients.push(await openReader(site.port, loop));
    await end(clients[0]!, close(1000));
    await end(clients[1]!, close());
    clients[2]!.destroy();
    // The loops of the closed clients continue while the server answers these messages.
    for (let i = 0; i < 20; i++) {
      other.send(`${loop} ${i}`);
      expect(await other.next()).toBe(`${loop} ${i}`);
    }
    const late = await connect(site, '/echo');
    late.send('late');
    expect(await late.next()).toBe('late');
    await late.close();
  },
);

test.for(Object.keys(LOOPS).filter((loop) => loop.startsWith('send()')))(
  'a loop around %s does not block other clients while its own client reads everything',
  async (loop) => {
    const { site } = await startProgram('endless-loops');
    const other = await connect(site, '/echo');
    const reader = await openReader(site.port, loop);
    const before = reader.bytesRead;
    for (let i = 0; i < 20; i++) {
      other.send(String(i));
      expect(await other.next()).toBe(String(i));
    }
    expect(reader.bytesRead).toBeGreaterThan(before);
  },
);

/** A client whose loop has begun. It parses nothing, so that no loop sends faster than it reads. */
async function openReader(port: number, loop: string): Promise<Socket> {
  const socket = connectTcp(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.write(handshakeRequest({ path: `/${encodeURIComponent(loop)}` }));
  const begun = defer();
  let start = '';
  socket.on('data', (chunk) => {
    if (start.includes('looping')) return;
    start += chunk.toString('latin1');
    if (start.includes('looping')) begun.resolve();
  });
  await within(begun.promise, 'first message');
  return socket;
}

/** Resolves when the server has answered a close frame with the end of the connection. */
async function end(socket: Socket, frame: Buffer): Promise<void> {
  const closed = once(socket, 'close');
  socket.write(frame);
  await within(closed, 'close');
}
