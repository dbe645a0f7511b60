/**
 * Holds what the package does only on Bun, whose `node:http` and `ws` differ from those of Node. Nothing here has an effect
 * on Node and Deno. compatibility/runtimes runs the package on Bun.
 */
import type { EventEmitter } from 'node:events';
import { Server, ServerResponse, type IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Whether this process runs on Bun. */
export const isBun = process.versions['bun'] !== undefined;

/**
 * Returns the npm package `ws` if `imported` is the module that Bun loads in its place.
 *
 * Bun's module passes frames, limits and compression to Bun's own server, and it has no access to the socket. Bun replaces
 * only the name `ws`, so this function loads the package by its path.
 *
 * @throws An error that says what to do if the package is not installed, as in a bundle.
 */
export function unwrapWs<Module extends { readonly PerMessageDeflate: unknown }>(imported: Module): Module {
  // Bun's module lacks this name. A bundle for Node contains the package.
  if (!isBun || imported.PerMessageDeflate !== undefined) return imported;
  const require = createRequire(__filename);
  let folder: string;
  try {
    folder = dirname(require.resolve('ws/package.json'));
  } catch (cause) {
    throw new Error(
      'dwebsocket needs the npm package "ws", because Bun\'s own module of this name lacks what it uses. Install ws. ' +
        'In a bundle, use bun build --target=node; to compile an app, bundle it so first, and compile the bundle',
      { cause },
    );
  }
  return require(join(folder, 'index.js')) as Module;
}

/** On Bun, `headersSent` does not follow from `_header`, and can be set. */
export function setHeadersSent(res: ServerResponse, headersSent: boolean): void {
  if (isBun) (res as { headersSent: boolean }).headersSent = headersSent;
}

// Bun uses one symbol for all requests and responses.
let handleKey: symbol | undefined;

/**
 * Makes a response write to its socket, as on Node. On Bun, a response writes to a native handle of its request, which is of no
 * use after an upgrade.
 */
export function writeToSocket(res: ServerResponse): void {
  if (!isBun) return;
  handleKey ??= Object.getOwnPropertySymbols(res).find(({ description }) => description === 'handle');
  if (handleKey !== undefined) Reflect.set(res, handleKey, undefined);
}

let Substitute: unknown;

/** Returns whether `socket` is the object with which Bun replaces the socket of a response that has none. */
export function isSubstitute(socket: object): boolean {
  if (!isBun) return false;
  Substitute ??= new ServerResponse({ method: 'GET' } as IncomingMessage).socket?.constructor;
  return socket.constructor === Substitute;
}

/** The number of listeners of 'close' that the runtime adds to a socket after the event 'upgrade'. */
export const LISTENERS_AFTER_UPGRADE = isBun ? 1 : 0;

/** Returns whether Bun's own `ws` has accepted this socket. Then the socket no longer counts the bytes that it reads. */
export function isNativeWebsocket(socket: object): boolean {
  return isBun && Object.getOwnPropertySymbols(socket).some(({ description }) => description === 'websocket');
}

/**
 * Calls `onConnection` with each server of this process to which a client connects, before the server parses the first byte.
 *
 * Bun does not publish on the channel `net.server.socket`. So this function puts its own `emit` in front of the one that the
 * servers inherit. The function `stop` of a former call removes the former one.
 */
export function watchConnections(onConnection: (server: Server) => void): () => void {
  const { prototype } = Server;
  const parent = Object.getPrototypeOf(prototype) as EventEmitter;
  const emit = function (this: Server, ...args: Parameters<EventEmitter['emit']>): boolean {
    if (args[0] === 'connection') onConnection(this);
    return parent.emit.apply(this, args);
  };
  Object.defineProperty(prototype, 'emit', { value: emit, configurable: true, writable: true });
  return () => {
    if (prototype.emit === emit) Reflect.deleteProperty(prototype, 'emit');
  };
}
