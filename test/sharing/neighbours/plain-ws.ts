import { onTestFinished } from 'vitest';
import { WebSocketServer } from 'ws';
import { CountingGuest, type Neighbour } from './neighbour.js';

/** `ws` on a path, where it answers other paths with 400; or without a path, where it accepts all requests. */
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
