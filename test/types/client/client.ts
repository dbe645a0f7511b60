// What a page sees, with lib.dom, with the types of Node, or with neither. Compiled, never run.
import { connect, type ClientState, type CloseInfo, type StandardSchema } from 'dwebsocket/client';

/** Equal types, in both directions. */
const is =
  <Wanted>() =>
  <Given extends Wanted>(_given: Given, ..._both: Wanted extends Given ? [] : [never]): void =>
    undefined;

declare const Said: StandardSchema<{ text: string; at?: number }, { text: string; at: number }>;
declare const Say: StandardSchema<{ text: string }, { text: string }>;

export async function test(): Promise<void> {
  const socket = connect('/chat');
  is<string | Uint8Array | null>()(await socket.wait(100));
  is<string | Uint8Array | 7>()(socket.read(7 as const));
  for await (const message of socket) is<string | Uint8Array>()(message);
  socket.send('text');
  socket.send(new Uint8Array(2));
  socket.send(new ArrayBuffer(2));
  is<boolean>()(await socket.send('text'));
  is<ClientState>()(socket.state);
  is<CloseInfo | undefined>()(socket.lastClose);
  is<CloseInfo>()(await socket.closed);
  is<boolean>()(socket.signal.aborted);
  socket.addEventListener('state', () => undefined);
  await socket.close(4000, 'bye');
  // @ts-expect-error A value needs messages: 'json'.
  socket.send({ text: 'hello' });

  is<string | null>()(await connect('/chat', { messages: 'text' }).wait());
  is<Uint8Array | null>()(await connect('/chat', { messages: 'binary' }).wait());
  const json = connect(async () => Promise.resolve(null), { messages: 'json', stamp: 'id' });
  for await (const message of json) is<unknown>()(message);
  json.send([1]);
  connect('/chat', { messages: 'json', stamp: (message) => message.header.id });

  const typed = connect('wss://a.test', {
    messages: Said,
    sends: Say,
    stamp: (message: { id: string }) => message.id,
    welcome: ({ position, complete }) => {
      is<string>()(position);
      is<boolean>()(complete);
    },
    invalid: (issues, client, data) => {
      is<string>()(issues[0]?.message ?? '');
      client.send({ text: 'what?' });
      is<string | Uint8Array>()(data);
    },
    stop: ({ code, reason }) => code === 4001 || reason !== '',
    protocols: ['chat'],
    minPause: undefined,
  });
  for await (const { text, at } of typed) {
    is<string>()(text);
    is<number>()(at);
  }
  typed.send({ text: 'hello' });
  // @ts-expect-error It does not fit `sends`.
  typed.send({ test: 'hello' });
  // @ts-expect-error An unknown option.
  connect('/chat', { maxPaylod: 1 });
  // @ts-expect-error A URL is needed.
  connect();
}
