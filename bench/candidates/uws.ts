import type { Server } from 'node:http';
import uws from '@trufflesuite/uws-js-unofficial';

/** µWebSockets under Node, as its README shows it. Its binaries are for the Node of one day: newer ones have none. */
export function echo(): Promise<Server> {
  return new Promise((resolve, reject) => {
    uws
      .App()
      .ws('/*', {
        message(websocket, message, isBinary) {
          websocket.send(message, isBinary);
        },
      })
      .listen('127.0.0.1', 0, (socket) => {
        if (!socket) reject(new Error('it does not listen'));
        else
          resolve({
            listening: true,
            address: () => ({ port: uws.us_socket_local_port(socket) }),
          } as unknown as Server);
      });
  });
}
