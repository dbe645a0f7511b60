import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import type { Diagnostics } from '../websocket/diagnostics-messages.js';

/** The errors of handlers in this process, by connection. */
const failures = new Map<string, { readonly error: unknown }>();
let watchers = 0;

/**
 * Records the errors of handlers, because a client receives only the code 1011. Recording ends with the last watcher.
 *
 * @returns A function that ends this watch.
 */
export function watchFailures(): () => void {
  if (watchers++ === 0) subscribe('dwebsocket.error', onFailure);
  return () => {
    if (--watchers > 0) return;
    unsubscribe('dwebsocket.error', onFailure);
    failures.clear();
  };
}

/** Returns the error of the handler at the other end of a client's socket, if it failed in this process. */
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
