import { requireWebsocket } from 'dwebsocket';

/** Receives one message and sends it back. The websocket closes when the handler returns. */
export const websocket = requireWebsocket(async (req) => {
  const message = await req.websocket.wait();
  if (message !== null) req.websocket.send(message);
});
