import * as dwebsocket from 'dwebsocket';
import { expect, test } from 'vitest';

test('the package exports what its contract names, and nothing else that runs', () => {
  expect(Object.keys(dwebsocket).sort()).toEqual(
    [
      'acceptWebsocket',
      'requireWebsocket',
      'withDefaults',
      'websocketMiddleware',
      'attachWebsocket',
      'closeWebsockets',
      'limitOpen',
      'openWebsockets',
      'relay',
      'passUpgrade',
      'Websocket',
      'WebsocketError',
      'WebsocketArgumentError',
      'WebsocketClosedError',
      'WebsocketOptionError',
    ].sort(),
  );
});
