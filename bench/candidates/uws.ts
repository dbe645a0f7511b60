import type { Server } from 'node:http';
import uws from '@trufflesuite/uws-js-unofficial';

/** µWebSockets under Node, as its README shows it. It has binaries only for the Node versions of its release date. */
export function echo(): Promise<Server> {
  return new Promise((resolve, reject) => {
    uws
      .App()
      .ws('/*', {
        // For messages of 64 KiB, of which several may wait. And the load takes a ping for a wrong echo.
        maxPayloadLength: 2 ** 20,
        maxBackpressure: 2 ** 24,
        idleTimeout: 0,
        message(websocket, message, isBinary) {
          websocket.send(message, isBinary);
        },
      })
      .listen('127.0.0.1', 0, (socket) => {
        if (!socket) reject(new Error('uWebSockets.js could not listen on 127.0.0.1'));
        else
          resolve({
            listening: true,
            address: () => ({ port: uws.us_socket_local_port(socket) }),
          } as unknown as Server);
      });
  });
}
