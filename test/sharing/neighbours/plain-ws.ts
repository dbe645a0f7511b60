import { expect, onTestFinished } from 'vitest';
import { WebSocketServer } from 'ws';
import { connect } from '../../support/client.js';
import type { Neighbour } from './neighbour.js';

/** `ws` on a path of its own. It answers 400 to whatever is for another path. */
export const plainWs: Neighbour = {
  name: 'a plain ws server with a path',
  async join(server) {
    let connections = 0;
    let errors = 0;
    let visits = 0;
    const wss = new WebSocketServer({ server, path: '/plain' });
    wss.on('connection', (ws) => {
      connections++;
      ws.on('error', () => errors++);
      ws.on('message', (data: Buffer) => ws.send(`plain: ${data.toString()}`));
    });
    onTestFinished(() => {
      wss.close();
    });
    return {
      async visit(site) {
        visits++;
        const client = await connect(site, '/plain');
        client.send('hello');
        expect(await client.next()).toBe('plain: hello');
        await client.close();
      },
      expectUndisturbed() {
        expect({ connections, errors }).toEqual({ connections: visits, errors: 0 });
      },
    };
  },
};
