// What a test sees. Compiled, never run.
import http from 'node:http';
import connectApp from 'connect';
import express from 'express';
import supertest from 'supertest';
import { requireWebsocket, type AcceptWebsocketHandler, type CloseInfo, type Message } from 'dwebsocket';
import { closeClients, connect, runHandler, type HandlerEnd, type TestClient } from 'dwebsocket/testing';
import { is } from './expect.js';

const app = express();
const chat: AcceptWebsocketHandler<{ id: string }, 'text'> = async (req) => {
  if (req.isWebsocket()) await req.websocket.wait();
};

export async function test(): Promise<void> {
  is<TestClient>()(await connect(app, '/'));
  await connect(connectApp(), '/');
  await connect(http.createServer(app), '/');
  await connect(requireWebsocket(() => undefined));
  await connect((_req: http.IncomingMessage, res: http.ServerResponse) => res.end());
  await connect(new URL('http://localhost'));
  await connect('ws://localhost', '/', { agent: supertest.agent(app), headers: { cookie: ['a=1'] } });

  const client = await connect(app, '/', { messages: 'text', deadline: 100 });
  is<TestClient<string>>()(client);
  is<string | null>()(await client.wait());
  is<string | undefined>()(client.headers.location);
  is<CloseInfo>()(await client.closed);
  for await (const message of client) is<string>()(message);
  client.send('x');
  client.sendFrame({ payload: 'x', masked: false });
  await client.close();
  await using other = await connect(app, '/');
  is<Message | null>()(await other.wait());

  const run = runHandler(chat, {
    params: { id: '1' },
    session: { name: 'Ada' },
    user: { id: 1 },
    locals: { nonce: 'x' },
    anything: 1,
  });
  is<TestClient>()(run.client);
  is<HandlerEnd>()(await run.ended);
  runHandler(async (req) => is<Message | null>()(await req.websocket.wait()), {}, { maxPayload: 1 });
  // @ts-expect-error -- what a response has in `locals` has names
  runHandler(chat, { locals: 'Ada' });
  runHandler((req: http.IncomingMessage) => req.url, { url: '/', query: { a: '1' } });

  await closeClients();
}
