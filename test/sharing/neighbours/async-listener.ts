import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { CountingGuest, type Neighbour } from './neighbour.js';

const WAYS = {
  'destroys the sockets of others': (socket: Duplex) => void socket.destroy(),
  'answers the requests of others with 404': (socket: Duplex) =>
    void socket.end('HTTP/1.1 404 Not Found\r\n\r\n'),
  'accepts all requests': undefined,
};

/** An 'upgrade' listener that awaits before it acts, like one that authenticates the user. */
export function asyncListener(how: keyof typeof WAYS): Neighbour {
  const turnAway = WAYS[how];
  return {
    name: `a listener that awaits and then ${how}`,
    strangers: turnAway === undefined ? 'takes' : 'refuses',
    async join(server) {
      const guest = new CountingGuest('/async');
      const wss = new WebSocketServer({ noServer: true });
      wss.on('connection', guest.welcome);
      server.on('upgrade', async (req, socket: Duplex, head) => {
        await new Promise(setImmediate);
        if (turnAway !== undefined && req.url !== '/async') turnAway(socket);
        else wss.handleUpgrade(req, socket, head, (ws) => wss.emit('connection', ws, req));
      });
      return guest;
    },
  };
}
