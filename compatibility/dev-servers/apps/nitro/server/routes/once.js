import { requireWebsocket } from 'dwebsocket';
import { fromNodeHandler } from 'nitro/h3';

export default fromNodeHandler(
  requireWebsocket(async ({ websocket }) => {
    websocket.send(await websocket.wait());
  }),
);
