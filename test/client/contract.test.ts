import { createServer } from 'node:http';
import { requireWebsocket, type Websocket } from 'dwebsocket';
import { describe } from 'vitest';
import { WebSocket as WsWebSocket } from 'ws';
import { commonContract, type OpenCommon } from '../support/common-contract.js';
import { defer } from '../support/inbox.js';
import { listen } from '../support/serve.js';
import { openClient, PlatformWebSocket, reach } from './support/open-client.js';

const openWith =
  (WebSocket: unknown): OpenCommon =>
  async (options = {}) => {
    const arrived = defer<Websocket>();
    const route = requireWebsocket(async (req) => {
      arrived.resolve(req.websocket);
      await req.websocket.closed;
    }, options);
    const { port } = await listen(createServer(route));
    const socket = openClient(`ws://127.0.0.1:${port}`, { WebSocket: WebSocket as never });
    await reach(socket, 'open');
    return { end: socket, peer: await arrived.promise };
  };

describe('with the WebSocket of ws', () => {
  commonContract(openWith(WsWebSocket));
});

describe.runIf(PlatformWebSocket !== WsWebSocket)('with the WebSocket of this Node', () => {
  commonContract(openWith(PlatformWebSocket));
});
