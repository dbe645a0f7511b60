import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Hooks, Peer } from 'crossws';
import crossws, { type NodeOptions } from 'crossws/adapters/node';
import express, { type Express } from 'express';
import {
  decide,
  describeMessages,
  LONG_REASON,
  makeBroadcast,
  PINGS,
  running,
  USER_HEADER,
  type App,
  type Apps,
  type Running,
  type Tell,
} from '../app.js';
import * as parts from './express-parts.js';
import { addAsyncListener, addSocketIo, type AddNeighbour } from './neighbours.js';

interface Options {
  addRoutes?: (app: Express) => unknown;
  path?: string;
  serverOptions?: NodeOptions['serverOptions'];
}

/** As its guide for Node says: hooks, and a listener for 'upgrade'. */
function serve(hooks: Partial<Hooks>, options: Options = {}): Running {
  const { addRoutes, path, serverOptions } = options;
  const websockets = crossws({ hooks, ...(serverOptions && { serverOptions }) });
  const app = express();
  addRoutes?.(app);
  const server = createServer(app);
  server.on('upgrade', (req, socket, head) => {
    if (req.headers.upgrade !== 'websocket' || (path !== undefined && req.url !== path)) return;
    void websockets.handleUpgrade(req, socket, head);
  });
  return running(server);
}

const echo: Partial<Hooks> = {
  message: (peer, message) => {
    peer.send(message.text());
  },
};

const route =
  (makeHooks: (tell: Tell) => Partial<Hooks>, options?: Options): App =>
  (tell) =>
    serve({ ...makeHooks(tell), error: () => tell('error') }, options);

function serveAll(): Running {
  return serve({
    open: (peer) => peer.subscribe('everybody'),
    message: (peer) => {
      const news = makeBroadcast();
      peer.publish('everybody', news);
      peer.send(news); // `publish` leaves the peer itself out
    },
  });
}

function serveBeside(addNeighbour: AddNeighbour): Running {
  const result = serve(echo, { path: '/ws' });
  addNeighbour(result.server);
  return result;
}

function tick(): Partial<Hooks> {
  const timers = new Map<Peer, NodeJS.Timeout>();
  return {
    open: (peer) => {
      timers.set(
        peer,
        setInterval(() => peer.send('tick'), 1_000),
      );
    },
    close: (peer) => clearInterval(timers.get(peer)),
  };
}

export const apps: Apps = {
  echo: () => serve(echo),
  guarded: () =>
    serve({ ...echo, upgrade: () => decide() }, { addRoutes: (app) => app.use(parts.decideFirst) }),
  // Messages come to a hook, one by one; what one waits for is kept beside the peer.
  pull: route(() => ({
    message: async (peer, message) => {
      const { first } = peer.context as { first?: string };
      if (first === undefined) {
        peer.context['first'] = message.text();
        await sleep(50);
      } else peer.send(first + message.text());
    },
  })),
  patience: route(() => ({
    ...echo,
    open: (peer) => {
      setTimeout(() => peer.send('late'), 50);
    },
  })),
  // A peer cannot be paused.
  collects: route((tell) => {
    const messages: Buffer[] = [];
    return {
      message: (_peer, message) => void messages.push(Buffer.from(message.uint8Array())),
      close: () => tell(describeMessages(messages)),
    };
  }),
  ticks: route(tick),
  compressed: route(tick, { serverOptions: { perMessageDeflate: true } }),
  pings: route(() => ({
    message: (peer, message) => {
      for (let i = 0; i < PINGS; i++) peer.ping();
      peer.send(message.text());
    },
  })),
  fetches: null,
  longReason: route(() => ({
    message: (peer) => {
      peer.close(4000, LONG_REASON);
    },
  })),
  answers: null,
  throws: route(() => ({
    message: async () => {
      await sleep(1);
      throw new Error('thrown by the handler');
    },
  })),
  lateErrorPage: null,
  accessLog: null,
  router: null,
  uploads: (tell) => serve(echo, { addRoutes: (app) => parts.addUploads(app, tell) }),
  header: () =>
    serve({ ...echo, upgrade: () => ({ headers: [[...USER_HEADER]] }) }, { addRoutes: parts.addUserHeader }),
  fileOrigin: null,
  broadcasts: serveAll,
  beside: () => serveBeside(addSocketIo),
  neighbour: () => serveBeside(addAsyncListener),
  events: () => serve(echo, { addRoutes: parts.addEvents }),
};
