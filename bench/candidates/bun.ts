import { serve } from 'bun';
import type { Server } from 'node:http';

/** Bun's own server, as its documentation shows it. Returns an object that our child process uses like a Node server. */
export function echo(): Server {
  const server = serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: (request, own) =>
      own.upgrade(request) ? undefined : new Response('not a websocket', { status: 400 }),
    websocket: {
      // The load takes a ping for a wrong echo.
      idleTimeout: 0,
      message(websocket, message) {
        websocket.send(message);
      },
    },
  });
  return { listening: true, address: () => ({ port: server.port }) } as unknown as Server;
}
