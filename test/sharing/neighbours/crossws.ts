import crossws from 'crossws/adapters/node';
import { expect } from 'vitest';
import { connect } from '../../support/client.js';
import type { Neighbour } from './neighbour.js';

/** crossws as its documentation shows it for Node: it accepts all requests, after an `await`. */
export const crossWs: Neighbour = {
  name: 'crossws',
  strangers: 'takes',
  async join(server) {
    let visits = 0;
    let connections = 0;
    const ws = crossws({
      hooks: {
        open: () => {
          connections++;
        },
        message: (peer, message) => void peer.send(`crossws: ${message.text()}`),
      },
    });
    server.on('upgrade', (req, socket, head) => void ws.handleUpgrade(req, socket, head));
    return {
      async visit(site) {
        visits++;
        const client = await connect(site, '/crossws');
        client.send('hello');
        expect(await client.next()).toBe('crossws: hello');
        await client.close();
      },
      expectUndisturbed() {
        expect(connections).toBe(visits);
      },
    };
  },
};
