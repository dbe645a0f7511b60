import { readFileSync } from 'node:fs';
import type { Dialect } from './load/script.js';

/** A server in the comparison: `candidates/<name>.ts`. */
export interface Candidate {
  name: string;
  title: string;
  /** Whose version is told; the first is the one that the row is about. */
  packages: readonly string[];
  dialect: Dialect;
  path: string;
  /** The program that runs it, where that is not Node. */
  runtime?: 'bun';
}

/** What `groups` of a candidate are asked for: each message `burst` times, in one process or over this Redis. */
export interface GroupsArgument {
  burst: number;
  redis?: string;
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
/** Its adapter for Redis 7, which its documentation recommends. */
export const socketIoSharded: Candidate = {
  ...socketIo,
  name: 'socket.io-sharded',
  title: 'socket.io, sharded adapter',
};
/** Native servers, as anchors: what C++ does without Node's streams, and without Express. */
export const bun: Candidate = { ...candidate('bun', 'Bun.serve', ['bun']), runtime: 'bun' };
export const uws = candidate('uws', 'uWebSockets.js', ['@trufflesuite/uws-js-unofficial']);
export const net = candidate('net', 'net, without parsing', []);

/** Those a user would choose from instead of ours, in the order of the tables. */
export const peers = [expressWs, websocketExpress, tinyws, crossws, fastify, socketIo];

/** Another runtime, native code, and no WebSocket at all: limits, and not to choose from. */
export const anchors = [bun, uws, net];

/** Whose versions matter where these are compared. */
export function packagesOf(candidates: readonly Candidate[]): string[] {
  return [...new Set(candidates.flatMap(({ packages }) => packages))];
}

/** The versions that are measured, by package. */
export function versionsOf(packages: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    packages.map((name) => {
      const file = new URL(`node_modules/${name}/package.json`, import.meta.url);
      return [name, (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version];
    }),
  );
}
