/* global fromNodeMiddleware */

import { requireWebsocket } from 'dwebsocket';

export default fromNodeMiddleware(
  requireWebsocket(async ({ websocket }) => {
    websocket.send(await websocket.wait());
  }),
);
