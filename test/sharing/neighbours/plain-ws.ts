import { onTestFinished } from 'vitest';
import { WebSocketServer } from 'ws';
import { CountingGuest, type Neighbour } from './neighbour.js';

/** `ws` on a path, where it answers 400 to what is for another path; or on none, where it takes all that comes. */
export function plainWs({ path }: { path?: string } = {}): Neighbour {
  return {
    name: `a plain ws server ${path === undefined ? 'without' : 'with'} a path`,
    strangers: path === undefined ? 'takes' : 'refuses',
    async join(server) {
      const guest = new CountingGuest('/plain');
      const wss = new WebSocketServer({ server, ...(path !== undefined && { path }) });
      wss.on('connection', guest.welcome);
      onTestFinished(() => {
        wss.close();
      });
      return guest;
    },
  };
}
