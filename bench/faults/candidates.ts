export interface Candidate {
  name: string;
  /** In ./candidates. */
  module: string;
  /** Whose versions are told. */
  packages: string[];
}

export const candidates: Candidate[] = [
  { name: 'dwebsocket', module: 'dwebsocket', packages: ['dwebsocket', 'express'] },
  { name: 'express-ws', module: 'express-ws', packages: ['express-ws'] },
  { name: 'websocket-express', module: 'websocket-express', packages: ['websocket-express'] },
  { name: 'tinyws', module: 'tinyws', packages: ['tinyws'] },
  { name: 'crossws', module: 'crossws', packages: ['crossws'] },
  { name: '@fastify/websocket', module: 'fastify-websocket', packages: ['@fastify/websocket', 'fastify'] },
  { name: 'ws', module: 'ws', packages: ['ws', 'socket.io'] },
];
