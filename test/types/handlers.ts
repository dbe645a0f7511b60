// What a handler sees. Compiled, never run: with the types of Express 4 and 5, and with each version of TypeScript.
import type { IncomingMessage } from 'node:http';
import type { Request, Response } from 'express';
import {
  acceptWebsocket,
  requireWebsocket,
  withDefaults,
  type AcceptWebsocketHandler,
  type AcceptWebsocketRequest,
  type Message,
  type RequireWebsocketHandler,
  type RequireWebsocketRequest,
  type Websocket,
} from 'dwebsocket';
import { is } from './expect.js';

// The type of an indexed access, which depends on noUncheckedIndexedAccess.
export const indexed = ({} as Record<string, string>)['name'];

export const narrowing = [
  acceptWebsocket((req) => {
    is<Websocket | null>()(req.websocket);
    if (req.isWebsocket()) {
      is<Websocket>()(req.websocket);
      is<string | undefined>()(req.get('host'));
    } else {
      is<Websocket | null>()(req.websocket);
      is<string | undefined>()(req.get('host'));
    }
    is<Websocket | null>()(req.websocket);
  }),

  acceptWebsocket(async (req, res) => {
    if (!req.isWebsocket()) {
      res.type('text').send(req.query['message']);
      return;
    }
    for await (const message of req.websocket) {
      is<Message>()(message);
      req.websocket.send(message);
    }
  }),

  acceptWebsocket(async (req, res) => {
    if (!req.isWebsocket()) return res.json({ params: req.params });
    is<Message | null>()(await req.websocket.wait());
    is<Message | null>()(req.websocket.read());
    is<Message | 0>()(req.websocket.read<0>(0));
    return undefined;
  }),

  acceptWebsocket((req, res) => {
    if (req.websocket) is<Websocket>()(req.websocket);
    if (req.websocket === null) return res.end();
    return req.websocket.close();
  }),

  requireWebsocket(async (req) => {
    is<Websocket>()(req.websocket);
    is<true>()(req.isWebsocket());
    is<string>()(req.websocket.protocol);
    is<IncomingMessage>()(req.websocket.request);
    is<number>()(await req.websocket.ping());
    is<boolean>()(await req.websocket.send('x'));
    is<boolean>()(await req.websocket.sleep(1));
    is<AbortSignal>()(req.websocket.signal);
    const { code, reason, wasClean } = await req.websocket.closed;
    is<number>()(code);
    is<string>()(reason);
    is<boolean>()(wasClean);
  }),
];

export const kinds = [
  requireWebsocket(
    async (req) => {
      is<Websocket<string>>()(req.websocket);
      for await (const message of req.websocket) JSON.parse(message);
      is<string | null>()(await req.websocket.wait());
    },
    { messages: 'text' },
  ),
  requireWebsocket(
    async (req) => {
      for await (const message of req.websocket) is<Buffer>()(message);
    },
    { messages: 'binary' },
  ),
  acceptWebsocket(
    async (req) => {
      is<Websocket<string> | null>()(req.websocket);
      if (req.isWebsocket()) JSON.parse((await req.websocket.wait()) ?? 'null');
    },
    { messages: 'text', maxPayload: 1_000 },
  ),
  requireWebsocket((req) => is<Websocket>()(req.websocket), {}),
  requireWebsocket((req) => is<Websocket>()(req.websocket), { messages: 'both' }),
];

const text = withDefaults({ messages: 'text' });
const plain = withDefaults({ heartbeat: 10_000 });
export const defaults = [
  text.requireWebsocket((req) => is<Websocket<string>>()(req.websocket)),
  text.requireWebsocket((req) => is<Websocket<string>>()(req.websocket), { maxPayload: 1 }),
  text.requireWebsocket((req) => is<Websocket<Buffer>>()(req.websocket), { messages: 'binary' }),
  text.acceptWebsocket<{ id: string }>((req) => {
    is<string>()(req.params.id);
    if (req.isWebsocket()) is<Websocket<string>>()(req.websocket);
  }),
  text.websocketMiddleware(),
  plain.requireWebsocket((req) => is<Websocket>()(req.websocket)),
  plain.websocketMiddleware({ acceptAll: true }),
];

export const params = [
  acceptWebsocket((req) => {
    is<typeof indexed>()(req.params['id']);
  }),
  acceptWebsocket<{ id: string }>((req) => {
    is<string>()(req.params.id);
    is<{ id: string }>()(req.params);
    if (req.isWebsocket()) is<string>()(req.params.id);
  }),
  requireWebsocket<{ room: string; seat?: string }>((req) => {
    is<string>()(req.params.room);
    is<string | undefined>()(req.params.seat);
  }),
  requireWebsocket<{ id: string }, 'text'>(async (req) => is<string | null>()(await req.websocket.wait()), {
    messages: 'text',
  }),
  acceptWebsocket<{ id: string }, 'both', { name?: string }>((req) => {
    is<string | undefined>()(req.query.name);
  }),
];

/** Handlers that stand alone. */
export const accept: AcceptWebsocketHandler<{ id: string }, 'text'> = async (req, res, next) => {
  if (!req.isWebsocket()) return next();
  res.locals['id'] = req.params.id;
  return req.websocket.send(req.params.id);
};
export const demand: RequireWebsocketHandler = (req) => req.websocket.close();

async function readOne(req: RequireWebsocketRequest): Promise<Message | null> {
  return req.websocket.wait();
}
function answer(req: AcceptWebsocketRequest<{ id: string }>, res: Response): void {
  if (!req.isWebsocket()) res.send(req.params.id);
}
function serveHttp(req: Request, res: Response): void {
  res.send(req.originalUrl);
}
class Chat {
  name = 'chat';
  serve = async (req: RequireWebsocketRequest): Promise<void> => {
    await req.websocket.send(this.name);
  };
}

export const routes = [
  acceptWebsocket(accept, { messages: 'text' }),
  requireWebsocket(demand),
  requireWebsocket(readOne),
  acceptWebsocket(answer),
  acceptWebsocket(serveHttp),
  requireWebsocket(new Chat().serve),
];

/** A list of websockets that take different kinds of messages. */
export const list: Websocket[] = [];
requireWebsocket((req) => list.push(req.websocket), { messages: 'text' });
