// Values with the libraries that work without `strict`; arktype does not. Compiled with it, too, never run.
import * as v from 'valibot';
import { requireWebsocket } from 'dwebsocket';
import { connect } from 'dwebsocket/testing';
import { z } from 'zod';
import { z as z3 } from 'zod3';
import { is } from '../expect.js';

const toDate = (text: string) => new Date(text);
const order4 = z.object({ text: z.string(), at: z.string().transform(toDate) });
const order3 = z3.object({ text: z3.string(), at: z3.string().transform(toDate) });
const orderV = v.object({ text: v.string(), at: v.pipe(v.string(), v.transform(toDate)) });

export const routes = [
  requireWebsocket(
    async (req) => {
      for await (const { text, at } of req.websocket) {
        is<string>()(text);
        is<Date>()(at);
        req.websocket.send({ text, at: text });
      }
    },
    { messages: order4, sends: order4 },
  ),
  requireWebsocket(
    async (req) => {
      for await (const { text, at } of req.websocket) {
        is<string>()(text);
        is<Date>()(at);
        req.websocket.send({ text, at: text });
      }
    },
    { messages: order3, sends: order3 },
  ),
  requireWebsocket(
    async (req) => {
      for await (const { text, at } of req.websocket) {
        is<string>()(text);
        is<Date>()(at);
        req.websocket.send({ text, at: text });
      }
    },
    { messages: orderV, sends: orderV },
  ),
  requireWebsocket(
    (req) => {
      // @ts-expect-error the time is sent as a text
      req.websocket.send({ text: '', at: new Date() });
    },
    { messages: 'json', sends: order4 },
  ),
];

export async function test(): Promise<void> {
  const client = await connect(() => undefined, '/', { messages: order4, sends: orderV });
  for await (const { at } of client) is<Date>()(at);
  client.send({ text: '', at: '' });
}
