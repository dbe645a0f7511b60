import expressWs from 'express-ws';
import { onTestFinished } from 'vitest';
import { CountingGuest, type Neighbour } from './neighbour.js';

/** express-ws, which accepts all requests before it looks for a route. */
export const expressWsNeighbour: Neighbour = {
  name: 'express-ws',
  strangers: 'takes',
  async join(server, app) {
    const guest = new CountingGuest('/express-ws');
    const { app: routes, getWss } = expressWs(app, server);
    routes.ws('/express-ws', guest.welcome);
    onTestFinished(() => {
      getWss().close();
    });
    return guest;
  },
};
