import { connect as connectTcp } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../support/client.js';
import { startProgram } from '../support/program.js';
import { LOOPS } from '../support/programs/loops.js';
import { handshakeRequest } from '../support/raw-client.js';

/*
 * Each loop runs in a separate process. A loop that blocks its process would also block the test, and a loop that catches
 * every error never ends.
 */
test.for(Object.keys(LOOPS))(
  'a loop around %s that ignores the close does not block other clients',
  async (loop) => {
    const { site } = await startProgram('endless-loops');
    const other = await connect(site, '/echo');
    const clients = [];
    for (let i = 0; i < 3; i++) clients.push(await connect(site, `/${encodeURIComponent(loop)}`));
    for (const client of clients) expect(await client.next()).toBe('looping');
    await clients[0]!.close(1000);
    await clients[1]!.close();
    await clients[2]!.vanish();
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
    const reader = connectTcp(site.port, '127.0.0.1', () => {
      reader.write(handshakeRequest({ path: `/${encodeURIComponent(loop)}` }));
    });
    onTestFinished(() => void reader.destroy());
    reader.resume();
    for (let i = 0; i < 20; i++) {
      other.send(String(i));
      expect(await other.next()).toBe(String(i));
    }
    expect(reader.bytesRead).toBeGreaterThan(0);
  },
);
