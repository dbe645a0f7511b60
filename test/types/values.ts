// Messages that are values, with schemas of no library. Compiled, never run.
import {
  acceptWebsocket,
  requireWebsocket,
  websocketMiddleware,
  withDefaults,
  type AcceptWebsocketHandler,
  type Data,
  type RequireWebsocketHandler,
  type SchemaInput,
  type SchemaIssue,
  type SchemaOutput,
  type StandardSchema,
  type Websocket,
} from 'dwebsocket';
import { createGroups, MemoryHub, type Group, type Groups, type GroupsOptions } from 'dwebsocket/groups';
import { connect, runHandler, type RunningHandler, type TestClient } from 'dwebsocket/testing';
import { is } from './expect.js';

interface Raw {
  text: string;
  at?: string;
}
interface Say {
  text: string;
  at: Date;
}
interface Said {
  from: string;
  text: string;
}
interface Room {
  room: string;
}
interface Since {
  since: string;
}
declare const say: StandardSchema<Raw, Say>;
declare const said: StandardSchema<Said, Said>;
declare const app: () => void;

is<Raw>()({} as SchemaInput<typeof say>);
is<Say>()({} as SchemaOutput<typeof say>);

export const inferred = [
  requireWebsocket(
    async (req) => {
      is<Websocket<unknown, unknown>>()(req.websocket);
      is<unknown>()(await req.websocket.wait());
      is<unknown>()(req.websocket.read());
      for await (const message of req.websocket) {
        is<unknown>()(message);
        req.websocket.send(message);
      }
      req.websocket.send('text');
      req.websocket.send({ a: [1, null] });
      req.websocket.send(Buffer.alloc(1), { binary: false });
    },
    { messages: 'json' },
  ),
  requireWebsocket(
    async (req) => {
      is<Websocket<Say, unknown>>()(req.websocket);
      is<Say | null>()(await req.websocket.wait());
      is<Say | null>()(req.websocket.read());
      is<Say | 0>()(req.websocket.read<0>(0));
      for await (const message of req.websocket) is<Say>()(message);
      for await (const { at } of req.websocket) is<Date>()(at);
    },
    { messages: say },
  ),
  requireWebsocket(
    async (req) => {
      is<Websocket<Say, Said>>()(req.websocket);
      for await (const { text } of req.websocket) req.websocket.send({ from: 'Ada', text });
      is<boolean>()(await req.websocket.send({ from: 'Ada', text: '' }));
    },
    { maxPayload: 1_000, messages: say, sends: said },
  ),
  requireWebsocket((req) => is<Websocket<unknown, Said>>()(req.websocket), { messages: 'json', sends: said }),
  acceptWebsocket(
    async (req, res) => {
      is<Websocket<Say, Said> | null>()(req.websocket);
      if (!req.isWebsocket()) return res.send(req.params);
      is<Websocket<Say, Said>>()(req.websocket);
      for await (const { text } of req.websocket) req.websocket.send({ from: 'Ada', text });
      return undefined;
    },
    { messages: say, sends: said },
  ),
];

// What is sent has the type that the schema accepts, since it is sent as it is.
requireWebsocket((req) => is<Websocket<Said, Raw>>()(req.websocket), { messages: said, sends: say });

export const invalid = [
  requireWebsocket((req) => is<Websocket<Say, Said>>()(req.websocket), {
    messages: say,
    sends: said,
    invalid: (issues, websocket, text) => {
      is<readonly SchemaIssue[]>()(issues);
      is<Websocket<Say, Said>>()(websocket);
      is<string>()(text);
      return websocket.send({ from: 'server', text: issues[0]?.message ?? '' });
    },
  }),
  acceptWebsocket((req) => is<Websocket<unknown, unknown> | null>()(req.websocket), {
    messages: 'json',
    invalid: (issues, websocket) => websocket.send({ issues }),
  }),
  withDefaults({ messages: 'json', invalid: (_issues, websocket) => websocket.close(4400) }).requireWebsocket(
    (req) => is<Websocket<Say, unknown>>()(req.websocket),
    { messages: say },
  ),
];

// With the parameters of the path, the schemas must be named, too; else the messages are unknown.
export const params = [
  requireWebsocket<Room>(
    (req) => {
      is<string>()(req.params.room);
      is<Websocket<unknown, unknown>>()(req.websocket);
    },
    { messages: 'json' },
  ),
  requireWebsocket<Room>((req) => is<Websocket<unknown, unknown>>()(req.websocket), { messages: say }),
  requireWebsocket<Room>((req) => is<Websocket<unknown, unknown>>()(req.websocket), {
    messages: say,
    sends: said,
  }),
  requireWebsocket<Room, typeof say>(
    (req) => {
      is<string>()(req.params.room);
      is<Websocket<Say, unknown>>()(req.websocket);
    },
    { messages: say },
  ),
  requireWebsocket<Room, typeof say, typeof said>(
    (req) => {
      is<string>()(req.params.room);
      is<Websocket<Say, Said>>()(req.websocket);
    },
    { messages: say, sends: said },
  ),
  requireWebsocket<Room, typeof say, typeof said, Since>((req) => is<string>()(req.query.since), {
    messages: say,
    sends: said,
  }),
  acceptWebsocket<Room>((req) => is<Websocket<unknown, unknown> | null>()(req.websocket), { messages: say }),
  acceptWebsocket<Room, 'json', typeof said>(
    (req) => {
      is<string>()(req.params.room);
      if (req.isWebsocket()) is<Websocket<unknown, Said>>()(req.websocket);
    },
    { messages: 'json', sends: said },
  ),
];

const json = withDefaults({ messages: 'json' });
const talk = withDefaults({ messages: say, sends: said });
export const defaults = [
  json.requireWebsocket((req) => is<Websocket<unknown, unknown>>()(req.websocket)),
  json.requireWebsocket((req) => is<Websocket<unknown, unknown>>()(req.websocket), { maxPayload: 1 }),
  json.requireWebsocket((req) => is<Websocket<Say, Said>>()(req.websocket), { messages: say, sends: said }),
  json.requireWebsocket((req) => is<Websocket<unknown, Said>>()(req.websocket), { sends: said }),
  json.requireWebsocket((req) => is<Websocket<string>>()(req.websocket), { messages: 'text' }),
  json.requireWebsocket<Room>((req) => is<Websocket<unknown, unknown>>()(req.websocket)),
  json.websocketMiddleware({ acceptAll: true }),
  talk.requireWebsocket((req) => is<Websocket<Say, Said>>()(req.websocket)),
  talk.requireWebsocket((req) => is<Websocket<Say, Said>>()(req.websocket), { maxPayload: 1 }),
  talk.requireWebsocket<Room>((req) => is<Websocket<Say, Said>>()(req.websocket)),
  talk.requireWebsocket((req) => is<Websocket<Said, Said>>()(req.websocket), { messages: said }),
  talk.requireWebsocket((req) => is<Websocket<Say, Raw>>()(req.websocket), { sends: say }),
  talk.acceptWebsocket((req) => {
    if (req.isWebsocket()) is<Websocket<Say, Said>>()(req.websocket);
  }),
  talk.acceptWebsocket((req) => is<Websocket<Buffer> | null>()(req.websocket), { messages: 'binary' }),
  websocketMiddleware({
    acceptAll: true,
    messages: say,
    sends: said,
    invalid: (_issues, { request }) => request,
  }),
];

/** Handlers that stand alone. */
export const accept: AcceptWebsocketHandler<Room, typeof say> = (req) => {
  if (req.isWebsocket()) is<Websocket<Say, unknown>>()(req.websocket);
};
export const demand: RequireWebsocketHandler<Room, typeof say, Since, typeof said> = (req) => {
  is<Websocket<Say, Said>>()(req.websocket);
};
export const routes = [
  acceptWebsocket(accept, { messages: say }),
  requireWebsocket(demand, { messages: say, sends: said }),
];

/** Functions that any websocket, or one for these values, goes to. */
const log = (websocket: Websocket<unknown, unknown>) => websocket.isClosed();
const greet = (websocket: Websocket<Say, Said>) => websocket.send({ from: 'server', text: 'hello' });
requireWebsocket((req) => [log(req.websocket), greet(req.websocket)], { messages: say, sends: said });
requireWebsocket((req) => log(req.websocket), { messages: 'text' });

const backplane = new MemoryHub().connect();
const groups = createGroups({ backplane, sends: said });
is<Groups<Said>>()(groups);
is<Group<Said>>()(groups.group('a'));
is<Groups<Said>>()(createGroups({ messages: 'json', sends: said }));
is<Groups<Raw>>()(createGroups({ sends: say }));
is<Groups<unknown>>()(createGroups({ messages: 'json' }));
is<Groups>()(createGroups({ backplane }));
is<Groups<Data>>()(createGroups());
/** A function of an app's own, which passes on what it is given. */
export const own = (options?: GroupsOptions): Groups => createGroups(options);

requireWebsocket(
  async (req) => {
    const room = groups.group('a');
    room.add(req.websocket);
    for await (const { text } of req.websocket) room.send({ from: 'Ada', text }, { except: req.websocket });
    createGroups().group('b').add(req.websocket);
    room.has(req.websocket);
    room.delete(req.websocket);
  },
  { messages: say, sends: said },
);
requireWebsocket((req) => groups.group('a').add(req.websocket), { messages: 'text' });

export async function test(): Promise<void> {
  const client = await connect(app, '/talk', { messages: said, sends: say });
  is<TestClient<Said, Raw>>()(client);
  is<Said | null>()(await client.wait());
  is<Said | null>()(client.read());
  for await (const message of client) is<Said>()(message);
  client.send({ text: 'hello' });
  is<TestClient<unknown, unknown>>()(await connect(app, '/', { messages: 'json', deadline: 1 }));
  is<TestClient<string, Data>>()(await connect(app, '/', { messages: 'text' }));
  is<TestClient>()({} as Awaited<ReturnType<typeof connect>>);

  const run = runHandler(
    async (req) => {
      is<Websocket<Say, Said>>()(req.websocket);
      for await (const { text } of req.websocket) req.websocket.send({ from: 'Ada', text });
    },
    { params: { room: 'a' } },
    { messages: say, sends: said },
  );
  is<RunningHandler<Said, Raw>>()(run);
  is<Said | null>()(await run.client.wait());
  run.client.send({ text: 'hello' });
  const standing = runHandler(demand, { params: { room: 'a' } }, { messages: say, sends: said });
  is<TestClient<Said, Raw>>()(standing.client);
  is<TestClient<unknown, unknown>>()(runHandler((req) => req.websocket, {}, { messages: 'json' }).client);
}
