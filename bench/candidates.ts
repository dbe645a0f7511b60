import { readFileSync } from 'node:fs';
import type { Dialect } from './load/script.js';

/** A server in the comparison: `candidates/<name>.ts`. */
export interface Candidate {
  name: string;
  title: string;
  /** The packages whose versions the report lists; the first is the package of the row. */
  packages: readonly string[];
  dialect: Dialect;
  path: string;
  /** The program that runs it, where that is not Node. */
  runtime?: 'bun';
  /** Lets `ws` use the native package bufferutil, which users may install beside it. */
  withBufferutil?: boolean;
}

/** The argument of a candidate's `groups`: it sends each message `burst` times, in one process or over this Redis. */
export interface GroupsArgument {
  burst: number;
  redis?: string;
}

/** The argument of a candidate's `history`: how many messages each group keeps, and how many groups there are. */
export interface HistoryArgument {
  redis: string;
  length: number;
  groups: number;
}

/** The argument of a candidate's `people`. */
export interface PeopleArgument {
  redis: string;
}

function candidate(name: string, title: string, packages: readonly string[]): Candidate {
  return { name, title, packages, dialect: 'plain', path: '/echo' };
}

export const ours = candidate('dwebsocket', 'dwebsocket', ['dwebsocket', 'ws', 'express']);
export const bare = candidate('ws', 'ws', ['ws']);
export const byHand = candidate('express-and-ws', 'Express and ws by hand', ['ws', 'express']);
export const expressWs = candidate('express-ws', 'express-ws', ['express-ws']);
export const websocketExpress = candidate('websocket-express', 'websocket-express', ['websocket-express']);
export const tinyws = candidate('tinyws', 'tinyws', ['tinyws']);
export const crossws = candidate('crossws', 'crossws', ['crossws']);
export const fastify = candidate('fastify-websocket', '@fastify/websocket', [
  '@fastify/websocket',
  'fastify',
]);
export const socketIo: Candidate = {
  ...candidate('socket.io', 'socket.io', ['socket.io']),
  dialect: 'socket.io',
  path: '/socket.io/?EIO=4&transport=websocket',
};
/** Each websocket is a stream of HTTP/2. */
export const overHttp2: Candidate = {
  ...candidate('dwebsocket-http2', 'dwebsocket, HTTP/2', ours.packages),
  dialect: 'http2',
};
/** The adapter that the documentation of Socket.IO recommends for Redis 7. */
export const socketIoSharded: Candidate = {
  ...socketIo,
  name: 'socket.io-sharded',
  title: 'socket.io, sharded adapter',
};
/** The adapter of Socket.IO that keeps messages for connection state recovery. */
export const socketIoStreams: Candidate = {
  ...socketIo,
  name: 'socket.io-streams',
  title: 'socket.io, streams adapter',
};
/** Native servers for comparison: C++ without Node's streams and without Express. */
export const bun: Candidate = { ...candidate('bun', 'Bun.serve', ['bun']), runtime: 'bun' };
export const uws = candidate('uws', 'uWebSockets.js', ['@trufflesuite/uws-js-unofficial']);
export const bareNative: Candidate = {
  ...candidate('ws', 'ws with bufferutil', ['ws', 'bufferutil']),
  withBufferutil: true,
};
export const net = candidate('net', 'net, without parsing', []);

/** The libraries that a user could choose instead of ours, in the order of the tables. */
export const peers = [expressWs, websocketExpress, tinyws, crossws, fastify, socketIo];

/** Native code, another runtime, and a server without WebSocket: they show limits, and are no alternatives. */
export const anchors = [bareNative, bun, uws, net];

/** Returns the packages whose versions the results of these candidates depend on. */
export function packagesOf(candidates: readonly Candidate[]): string[] {
  return [...new Set(candidates.flatMap(({ packages }) => packages))];
}

/** Returns the measured version of each package. */
export function versionsOf(packages: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    packages.map((name) => {
      const file = new URL(`node_modules/${name}/package.json`, import.meta.url);
      return [name, (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version];
    }),
  );
}
