// Explicit type parameters beside each value of `messages`. Compiled, never run.
import {
  acceptWebsocket,
  requireWebsocket,
  withDefaults,
  type AcceptWebsocketRequest,
  type Message,
  type MessageKind,
  type RequireWebsocketRequest,
  type Websocket,
  type WebsocketOptions,
} from 'dwebsocket';
import { is } from './expect.js';

interface Room {
  room: string;
}
interface Since {
  since: string;
}
declare const kind: MessageKind;
declare const options: WebsocketOptions;

// Each compiles where the request has the parameters of a room, and messages of this kind.
type Required<M extends Message> = RequireWebsocketRequest<Room, M>;
type Accepted<M extends Message> = AcceptWebsocketRequest<Room, M>;

export const required = [
  requireWebsocket<Room>((req) => is<Required<Message>>()(req)),
  requireWebsocket<Room>((req) => is<Required<Message>>()(req), {}),
  requireWebsocket<Room>((req) => is<Required<Message>>()(req), { maxPayload: 1 }),
  requireWebsocket<Room>((req) => is<Required<string>>()(req), { messages: 'text' }),
  requireWebsocket<Room>((req) => is<Required<Buffer>>()(req), { messages: 'binary' }),
  requireWebsocket<Room>((req) => is<Required<Message>>()(req), { messages: 'both' }),
  requireWebsocket<Room>((req) => is<Required<Message>>()(req), { messages: kind }),
  requireWebsocket<Room>((req) => is<Required<Message>>()(req), options),
  requireWebsocket<Room, 'text'>((req) => is<Required<string>>()(req), { messages: 'text' }),
  requireWebsocket<Room, 'binary'>((req) => is<Required<Buffer>>()(req), { messages: 'binary' }),
  requireWebsocket<Room, 'both'>((req) => is<Required<Message>>()(req), { messages: 'both' }),
  requireWebsocket<Room, MessageKind>((req) => is<Required<Message>>()(req), { messages: kind }),
  requireWebsocket<Room, 'text', Since>((req) => is<string>()(req.query.since), { messages: 'text' }),
];

export const accepted = [
  acceptWebsocket<Room>((req) => is<Accepted<Message>>()(req)),
  acceptWebsocket<Room>((req) => is<Accepted<Message>>()(req), {}),
  acceptWebsocket<Room>((req) => is<Accepted<Message>>()(req), { maxPayload: 1 }),
  acceptWebsocket<Room>((req) => is<Accepted<string>>()(req), { messages: 'text' }),
  acceptWebsocket<Room>((req) => is<Accepted<Buffer>>()(req), { messages: 'binary' }),
  acceptWebsocket<Room>((req) => is<Accepted<Message>>()(req), { messages: 'both' }),
  acceptWebsocket<Room>((req) => is<Accepted<Message>>()(req), { messages: kind }),
  acceptWebsocket<Room>((req) => is<Accepted<Message>>()(req), options),
  acceptWebsocket<Room, 'text'>((req) => is<Accepted<string>>()(req), { messages: 'text' }),
  acceptWebsocket<Room, 'binary'>((req) => is<Accepted<Buffer>>()(req), { messages: 'binary' }),
  acceptWebsocket<Room, 'both'>((req) => is<Accepted<Message>>()(req), { messages: 'both' }),
  acceptWebsocket<Room, MessageKind>((req) => is<Accepted<Message>>()(req), { messages: kind }),
  acceptWebsocket<Room, 'text', Since>((req) => is<string>()(req.query.since), { messages: 'text' }),
];

const text = withDefaults({ messages: 'text' });
export const withOtherDefaults = [
  text.requireWebsocket<Room>((req) => is<Required<string>>()(req)),
  text.requireWebsocket<Room>((req) => is<Required<string>>()(req), { maxPayload: 1 }),
  text.requireWebsocket<Room>((req) => is<Required<string>>()(req), { messages: 'text' }),
  text.requireWebsocket<Room>((req) => is<Required<Buffer>>()(req), { messages: 'binary' }),
  text.requireWebsocket<Room>((req) => is<Required<Message>>()(req), { messages: 'both' }),
  text.requireWebsocket<Room>((req) => is<Required<Message>>()(req), { messages: kind }),
  text.acceptWebsocket<Room>((req) => is<Accepted<string>>()(req)),
  text.acceptWebsocket<Room>((req) => is<Accepted<Buffer>>()(req), { messages: 'binary' }),
  text.acceptWebsocket<Room>((req) => is<Accepted<Message>>()(req), { messages: 'both' }),
];

// Beside functions, whose parameters are inferred, too.
requireWebsocket<Room>((req) => is<Required<string>>()(req), {
  messages: 'text',
  origins: (origin, { headers }) => origin === headers.host,
  protocols: ([first]) => first ?? false,
});

/** What `isWebsocket()` leaves of a request goes where a websocket is asked for. */
const readOne = (req: RequireWebsocketRequest<Room>): Promise<Message | null> => req.websocket.wait();
acceptWebsocket<Room>(
  async (req, res) => {
    if (!req.isWebsocket()) return res.send(req.params.room);
    is<Websocket<string>>()(req.websocket);
    return readOne(req);
  },
  { messages: 'text' },
);
