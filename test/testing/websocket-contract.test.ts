import { describe } from 'vitest';
import { TRANSPORTS } from './transports.js';
import { websocketContract } from './websocket-contract.js';

describe.for(TRANSPORTS)('on %s', ([, open]) => {
  describe('the websocket of a route', () => {
    websocketContract(open, ({ server, client }) => ({ end: server, peer: client }));
  });

  describe('the client of a test', () => {
    websocketContract(open, ({ server, client }) => ({ end: client, peer: server }));
  });
});
