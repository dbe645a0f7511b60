/** The rooms of `src`, from the ground up: a file imports from its own room and from those before it, types included. */
export const ROOMS = [
  'shared',
  'client',
  'internals',
  'values',
  'options',
  'websocket',
  'handshake',
  'http2',
  'server',
  'routes',
  'doors',
  'groups',
  'testing',
];
