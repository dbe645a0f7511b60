import { channel } from 'node:diagnostics_channel';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import net, { type Socket } from 'node:net';
import tls from 'node:tls';
import { isBun } from '../internals/bun.js';
import type { Server } from '../server/server-state.js';
import { argumentError, describe } from '../shared/errors.js';
import { createSocketPair } from './memory-socket.js';

/** Lists what a test can connect to: an app of Express or Connect, a request listener, a server, or a URL. */
export type Target = ((req: IncomingMessage, res: ServerResponse) => unknown) | Server | string | URL;

/** Describes how to connect to a target. */
export interface Endpoint {
  readonly url: URL;
  /** Whether the server sees a TLS connection. */
  readonly secure: boolean;
  open(): Socket;
}

// One server for each app, as in production. It never listens, so nobody needs to close it.
const servers = new WeakMap<object, http.Server>();

/** @throws {TypeError} The value is not a target. */
export function resolveTarget(target: Target, path: string, rejectUnauthorized?: boolean): Endpoint {
  if (typeof target === 'string' || target instanceof URL)
    return overNetwork(target, path, rejectUnauthorized);
  if (typeof target === 'function') return inMemory(serverOf(target), path);
  if (!isServer(target)) {
    throw argumentError(
      TypeError,
      'connect() takes an app, a request listener, an http.Server, an https.Server or a URL; ' +
        `got ${describe(target)}`,
    );
  }
  return target.listening ? toListener(target, path, rejectUnauthorized) : inMemory(target, path);
}

function isServer(target: unknown): target is Server {
  return target instanceof http.Server || target instanceof https.Server;
}

function serverOf(app: http.RequestListener): http.Server {
  let server = servers.get(app);
  if (server === undefined) servers.set(app, (server = http.createServer(app)));
  return server;
}

/** Passes a socket to the server, as if its port had accepted a connection (and completed TLS). */
function inMemory(server: Server, path: string): Endpoint {
  const secure = server instanceof https.Server;
  return {
    url: urlOf('ws://localhost', path),
    secure,
    open: () => {
      const { client, server: socket } = createSocketPair(secure);
      Object.assign(socket, { server });
      // Publishes and emits the same events as net.Server, in the same order. From the channel, the package learns of the
      // server's first connection. Bun parses what comes with 'connection', also on an https server.
      channel('net.server.socket').publish({ socket });
      server.emit(secure && !isBun ? 'secureConnection' : 'connection', socket);
      return client;
    },
  };
}

function toListener(server: Server, path: string, rejectUnauthorized = false): Endpoint {
  const secure = server instanceof https.Server;
  const scheme = secure ? 'wss' : 'ws';
  const address = server.address();
  if (address === null || typeof address === 'string') {
    const to = { path: address ?? '' };
    return {
      url: urlOf(`${scheme}://localhost`, path),
      secure,
      open: () =>
        secure ? tls.connect({ ...to, servername: 'localhost', rejectUnauthorized }) : net.connect(to),
    };
  }
  const host = { '0.0.0.0': '127.0.0.1', '::': '::1' }[address.address] ?? address.address;
  return {
    url: urlOf(`${scheme}://localhost:${String(address.port)}`, path),
    secure,
    open: openTo(host, address.port, secure, 'localhost', rejectUnauthorized),
  };
}

function overNetwork(base: string | URL, path: string, rejectUnauthorized = true): Endpoint {
  const url = new URL(path, base);
  if (!/^(?:ws|http)s?:$/.test(url.protocol)) {
    throw argumentError(TypeError, `connect() takes a URL of ws, wss, http or https; got ${url.href}`);
  }
  const secure = url.protocol === 'wss:' || url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
  return {
    url,
    secure,
    open: openTo(host, port, secure, net.isIP(host) === 0 ? host : '', rejectUnauthorized),
  };
}

function openTo(
  host: string,
  port: number,
  secure: boolean,
  servername: string,
  rejectUnauthorized: boolean,
) {
  return () =>
    secure ? tls.connect({ host, port, servername, rejectUnauthorized }) : net.connect({ host, port });
}

function urlOf(origin: string, path: string): URL {
  // Not resolved against a base, which would take a path such as //a for a host.
  return new URL(`${origin}${path.startsWith('/') ? '' : '/'}${path}`);
}
