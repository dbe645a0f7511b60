import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import type { Diagnostics } from '../websocket/diagnostics-messages.js';

/** What handlers in this process have failed with, by connection. */
const failures = new Map<string, { readonly error: unknown }>();
let watchers = 0;

/**
 * Takes down what handlers fail with, until the last watcher has left: the client of a failed handler learns nothing
 * but 1011, and that is no help in a test.
 */
export function watchFailures(): () => void {
  if (watchers++ === 0) subscribe('dwebsocket.error', onFailure);
  return () => {
    if (--watchers > 0) return;
    unsubscribe('dwebsocket.error', onFailure);
    failures.clear();
  };
}

/** What the handler at the other end of a client's socket has failed with, if it did so in this process. */
export function failureAtOtherEnd({
  localPort,
  remotePort,
}: Socket): { readonly error: unknown } | undefined {
  return failures.get(nameConnection(localPort, remotePort));
}

function onFailure(message: unknown): void {
  const { websocket, error } = message as Diagnostics['dwebsocket.error'];
  const { localPort, remotePort } = websocket.request.socket;
  if (remotePort !== undefined) failures.set(nameConnection(remotePort, localPort), { error });
}

function nameConnection(clientPort: number | undefined, serverPort: number | undefined): string {
  return `${String(clientPort)} ${String(serverPort)}`;
}
