// An option that is `undefined` stands for its default. Without `strict` it is any value, and has no type of its own.
import {
  acceptWebsocket,
  requireWebsocket,
  websocketMiddleware,
  withDefaults,
  type AcceptWebsocketHandler,
  type RequireWebsocketHandler,
  type Websocket,
  type WebsocketOptions,
  type WebsocketRoute,
} from 'dwebsocket';
import { is } from './expect.js';

export const routes = [
  requireWebsocket((req) => is<Websocket>()(req.websocket), { maxPayload: 1, messages: undefined }),
  requireWebsocket<{ room: string }>((req) => is<Websocket>()(req.websocket), { messages: undefined }),
  acceptWebsocket<{ room: string }>((req) => is<Websocket | null>()(req.websocket), { messages: undefined }),
  withDefaults({ messages: 'text' }).requireWebsocket((req) => is<Websocket<string>>()(req.websocket), {
    maxPayload: undefined,
  }),
];

/** A wrapper of an app's own, which passes on what it is given. */
export const own = (
  accepting: AcceptWebsocketHandler,
  requiring: RequireWebsocketHandler,
  options?: WebsocketOptions,
): WebsocketRoute[] => [
  acceptWebsocket(accepting, options),
  requireWebsocket(requiring, options),
  websocketMiddleware(options),
];
