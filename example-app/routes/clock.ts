import { acceptWebsocket } from 'dwebsocket';

const time = () => new Date().toLocaleTimeString();

/** Sends the time: once over HTTP, live over WebSocket. */
export const clock = acceptWebsocket(async (req, res) => {
  if (!req.isWebsocket()) {
    res.type('text').send(time());
    return;
  }

  do req.websocket.send(time());
  while (await req.websocket.sleep(1000));
});
