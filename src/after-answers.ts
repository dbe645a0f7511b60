import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { debug } from './notices.js';

/**
 * Goes on when the answers to the requests that came before on this connection have gone out; never, when the connection
 * ends with them.
 *
 * A client may send an upgrade request right behind another one (RFC 9112, 9.3.2). Node hands it over at once, while the
 * socket still belongs to the earlier response: to give it to a second one throws, and would end the process.
 */
export function afterAnswers(socket: Duplex, proceed: () => void): void {
  const { _httpMessage: earlier } = socket as { _httpMessage?: ServerResponse | null };
  if (earlier === undefined || earlier === null) {
    proceed();
    return;
  }
  debug('an upgrade request waits for the answer to the request before it');
  // Node has taken its own listeners off the socket: without these a long answer stalls, and a reset ends the process.
  const relayDrain = (): void => {
    if (earlier.writableNeedDrain) earlier.emit('drain');
  };
  socket.on('drain', relayDrain);
  socket.on('error', ignore);
  earlier.once('close', () => {
    socket.removeListener('drain', relayDrain);
    if (socket.destroyed || !socket.writable) return;
    socket.removeListener('error', ignore);
    afterAnswers(socket, proceed);
  });
}

function ignore(): void {
  // A connection that breaks is told by 'close'.
}
