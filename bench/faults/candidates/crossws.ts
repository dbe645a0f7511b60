import { setTimeout as sleep } from 'node:timers/promises';
import { createServer } from 'node:http';
import type { Hooks } from 'crossws';
import crossws from 'crossws/adapters/node';
import express from 'express';
import { decide, LONG_REASON, running, type App, type Apps, type Running } from '../app.js';
import { addSocketIo } from './socket-io.js';

/** As its guide for Node says: hooks, and one listener for 'upgrade'. */
function serve(hooks: Partial<Hooks>, path?: string): Running {
  const websockets = crossws({ hooks });
  const app = express();
  const server = createServer(app);
  server.on('upgrade', (req, socket, head) => {
    if (path === undefined || req.url === path) void websockets.handleUpgrade(req, socket, head);
  });
  return running(server);
}

const echo: Partial<Hooks> = {
  message: (peer, message) => {
    peer.send(message.text());
  },
};

const withOnError =
  (hooks: Partial<Hooks>): App =>
  (onError) =>
    serve({ ...hooks, error: onError });

export const apps: Apps = {
  echo: () => serve(echo),
  guarded: () => {
    const app = express();
    app.use(async (req, _res, next) => {
      await decide(req.url);
      next();
    });
    const websockets = crossws({
      hooks: {
        ...echo,
        upgrade: () => decide(),
      },
    });
    const server = createServer(app);
    server.on('upgrade', (req, socket, head) => {
      void websockets.handleUpgrade(req, socket, head);
    });
    return running(server);
  },
  // Messages come to a hook, one by one; what one waits for is kept beside the peer.
  pull: withOnError({
    message: async (peer, message) => {
      const { first } = peer.context as { first?: string };
      if (first === undefined) {
        peer.context['first'] = message.text();
        await sleep(50);
      } else peer.send(first + message.text());
    },
  }),
  patience: withOnError({
    open: (peer) => {
      setTimeout(() => peer.send('late'), 50);
    },
    ...echo,
  }),
  throws: withOnError({
    message: async () => {
      await sleep(1);
      throw new Error('thrown by the handler');
    },
  }),
  longReason: withOnError({
    message: (peer) => {
      peer.close(4000, LONG_REASON);
    },
  }),
  beside: () => {
    const result = serve(echo, '/ws');
    addSocketIo(result.server);
    return result;
  },
  router: null,
};
