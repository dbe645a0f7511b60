// What the compiler is to catch. Compiled, never run.
import {
  acceptWebsocket,
  attachWebsocket,
  closeWebsockets,
  limitOpen,
  requireWebsocket,
  websocketMiddleware,
  Websocket,
  withDefaults,
  type RequireWebsocketRequest,
  type StandardSchema,
} from 'dwebsocket';
import { createGroups } from 'dwebsocket/groups';
import { connect, runHandler } from 'dwebsocket/testing';

declare const said: StandardSchema<{ from: string; text: string }, { from: string; text: string }>;

acceptWebsocket((req) => {
  // @ts-expect-error the parentheses are missing, so this would always be true
  if (req.isWebsocket) req.websocket?.send('x');
  // @ts-expect-error the parentheses, here, too
  return req.isWebsocket ? 1 : 2;
});

acceptWebsocket((req) => {
  // @ts-expect-error on plain HTTP there is no websocket
  req.websocket.send('x');
  if (req.isWebsocket()) req.websocket.send('x');
  // @ts-expect-error nor behind the branch
  req.websocket.send('x');
});

acceptWebsocket(async (req, res) => {
  if (req.isWebsocket()) res.send('x');
  // @ts-expect-error in the other branch there is none
  else await req.websocket.wait();
});

acceptWebsocket((req) => {
  // @ts-expect-error it is not the handler's to set
  req.websocket = null;
});

requireWebsocket(async (req) => {
  // @ts-expect-error the message may be bytes
  JSON.parse(await req.websocket.wait());
  // @ts-expect-error a value must be encoded
  req.websocket.send({ hello: 'world' });
  // @ts-expect-error a number must be encoded
  req.websocket.send(42);
  // @ts-expect-error null is no message
  req.websocket.send(await req.websocket.wait());
  // @ts-expect-error there is no such option
  req.websocket.send('x', { compress: true });
  // @ts-expect-error close() takes a code first
  req.websocket.close('bye');
  // @ts-expect-error a wait is milliseconds
  await req.websocket.wait('1s');
  // @ts-expect-error no such member: the signal tells
  req.websocket.on('close', () => undefined);
});

requireWebsocket(
  async (req) => {
    // @ts-expect-error the end is null
    JSON.parse(await req.websocket.wait());
  },
  { messages: 'text' },
);

requireWebsocket<{ id: string }>((req) => {
  // @ts-expect-error the route has no such parameter
  return req.params.room;
});

// @ts-expect-error there is no such kind
requireWebsocket(() => undefined, { messages: 'yaml' });
// @ts-expect-error with parameters of the path, too
requireWebsocket<{ id: string }>(() => undefined, { messages: 'yaml' });
// @ts-expect-error a type is no schema
requireWebsocket(() => undefined, { messages: String });
// @ts-expect-error without values there is nothing to check
requireWebsocket(() => undefined, { sends: said });
// @ts-expect-error nor with text
requireWebsocket(() => undefined, { messages: 'text', sends: said });
// @ts-expect-error nor with text as the default
withDefaults({ messages: 'text', sends: said });
// @ts-expect-error text is never invalid
requireWebsocket(() => undefined, { messages: 'text', invalid: () => undefined });
// @ts-expect-error a client of a test, too
void connect(() => undefined, '/', { sends: said });
// @ts-expect-error the handler gets values, and the route text
requireWebsocket((req: RequireWebsocketRequest<object, { a: 1 }>) => req.url, { messages: 'text' });

// @ts-expect-error a group sends, and reads nothing
createGroups({ messages: said });
// @ts-expect-error a value that the group does not send
createGroups({ sends: said }).group('a').send({ text: 'hello' });
// @ts-expect-error without values there is only text
createGroups().group('a').send({ from: 'Ada', text: 'hello' });

requireWebsocket(
  async (req) => {
    // @ts-expect-error a value that was only parsed may be anything
    void (await req.websocket.wait()).text;
  },
  { messages: 'json' },
);
requireWebsocket(
  async (req) => {
    // @ts-expect-error the end is null
    void (await req.websocket.wait()).text;
    // @ts-expect-error the schema knows no such field
    for await (const { name } of req.websocket) void name;
    // @ts-expect-error a field is missing
    req.websocket.send({ from: 'Ada' });
    // @ts-expect-error a field has another type
    req.websocket.send({ from: 'Ada', text: 1 });
    // @ts-expect-error the schema knows no text that is no object
    req.websocket.send('text');
  },
  { messages: said, sends: said },
);
// @ts-expect-error the type says text, the option says bytes
requireWebsocket<{ id: string }, 'text'>(() => undefined, { messages: 'binary' });
// @ts-expect-error there is no such option, beside one that there is
acceptWebsocket<{ id: string }>(() => undefined, { messages: 'text', maxpayload: 1 });
// @ts-expect-error seconds are not milliseconds, and no string
requireWebsocket(() => undefined, { heartbeat: '30s' });
// @ts-expect-error off is false
requireWebsocket(() => undefined, { heartbeat: null });
// @ts-expect-error a function that decides later would let in everybody
requireWebsocket(() => undefined, { origins: async () => true });
// @ts-expect-error 'any' or a list
requireWebsocket(() => undefined, { origins: 'https://a.test' });
// @ts-expect-error it takes a list
requireWebsocket(() => undefined, { protocols: 'chat' });
// @ts-expect-error there is no such option
requireWebsocket(() => undefined, { maxpayload: 1 });
// @ts-expect-error it belongs to the middleware
requireWebsocket(() => undefined, { acceptAll: true });
// @ts-expect-error it belongs to attachWebsocket
withDefaults({ handshakeTimeout: 1_000 });
// @ts-expect-error there is no handler
acceptWebsocket();
// @ts-expect-error a path is app.get's
acceptWebsocket('/echo', () => undefined);
// @ts-expect-error the middleware takes options, and is called
websocketMiddleware(() => undefined);
// @ts-expect-error an app is no server
attachWebsocket(() => undefined);
// @ts-expect-error a promise is truthy
attachWebsocket(null as unknown as import('node:http').Server, { owns: async () => true });
// @ts-expect-error seconds are no string
void closeWebsockets(null as unknown as import('node:http').Server, { timeout: '5s' });
// @ts-expect-error users never construct one
new Websocket();

// @ts-expect-error it is no target
void connect(42, '/');
// @ts-expect-error there is no such option
void connect(() => undefined, '/', { cookies: [] });
void connect(() => undefined, '/', { messages: 'text' }).then(async (client) => {
  // @ts-expect-error the end is null
  JSON.parse(await client.wait());
});
runHandler(
  requireWebsocket<{ id: string }>(() => undefined),
  // @ts-expect-error options are an object
  1,
);
runHandler((req: import('dwebsocket').RequireWebsocketRequest<{ id: string }>) => req.params.id, {
  // @ts-expect-error the handler needs another parameter
  params: { room: 'a' },
});

// @ts-expect-error the limit has no default
limitOpen({});
// @ts-expect-error an object is another key each time
limitOpen({ max: 1, by: () => ({ id: 1 }) });
requireWebsocket(({ websocket }) => {
  // @ts-expect-error a session cookie without an end is null, not undefined
  websocket.closeAt(undefined);
  // @ts-expect-error a text is no date
  websocket.closeAt('2030-01-01');
});
// @ts-expect-error the time is missing
requireWebsocket(() => {}, { messageRate: { count: 1 } });
