import { requireWebsocket } from 'dwebsocket';

/** One message in, the same one out; the return closes the websocket. */
export const websocket = requireWebsocket(async (req) => {
  const message = await req.websocket.wait();
  if (message !== null) req.websocket.send(message);
});
