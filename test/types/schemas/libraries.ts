// Values with the schemas of each library. Compiled, never run.
import { type } from 'arktype';
import * as v from 'valibot';
import { z } from 'zod';
import { z as z3 } from 'zod3';
import {
  acceptWebsocket,
  requireWebsocket,
  type SchemaInput,
  type SchemaOutput,
  type Websocket,
} from 'dwebsocket';
import { createGroups, type Group } from 'dwebsocket/groups';
import { connect, runHandler, type TestClient } from 'dwebsocket/testing';
import { is } from '../expect.js';

const order4 = z.object({ text: z.string(), at: z.string().transform((text) => new Date(text)) });
const order3 = z3.object({ text: z3.string(), at: z3.string().transform((text) => new Date(text)) });
const orderV = v.object({
  text: v.string(),
  at: v.pipe(
    v.string(),
    v.transform((text) => new Date(text)),
  ),
});
const orderA = type({ text: 'string', at: 'string.date.iso.parse' });
const said4 = z.object({ from: z.string() });
const said3 = z3.object({ from: z3.string() });
const saidV = v.object({ from: v.string() });
const saidA = type({ from: 'string' });

interface Raw {
  text: string;
  at: string;
}
interface Order {
  text: string;
  at: Date;
}
interface Said {
  from: string;
}

/** Compiles where both types are assignable to each other: each library spells them in its own way. */
declare function same<A, B extends A>(value: A & B): <C extends B>(other: C) => void;
declare const raw: Raw;
declare const order: Order;
same<Raw, SchemaInput<typeof order4>>(raw)(raw);
same<Raw, SchemaInput<typeof order3>>(raw)(raw);
same<Raw, SchemaInput<typeof orderV>>(raw)(raw);
same<Raw, SchemaInput<typeof orderA>>(raw)(raw);
same<Order, SchemaOutput<typeof order4>>(order)(order);
same<Order, SchemaOutput<typeof order3>>(order)(order);
same<Order, SchemaOutput<typeof orderV>>(order)(order);
same<Order, SchemaOutput<typeof orderA>>(order)(order);

export const routes = [
  requireWebsocket(
    async (req) => {
      for await (const { text, at } of req.websocket) {
        is<string>()(text);
        is<Date>()(at);
        req.websocket.send({ from: text });
      }
    },
    { messages: order4, sends: said4 },
  ),
  requireWebsocket(
    async (req) => {
      for await (const { text, at } of req.websocket) {
        is<string>()(text);
        is<Date>()(at);
        req.websocket.send({ from: text });
      }
    },
    { messages: order3, sends: said3 },
  ),
  requireWebsocket(
    async (req) => {
      for await (const { text, at } of req.websocket) {
        is<string>()(text);
        is<Date>()(at);
        req.websocket.send({ from: text });
      }
    },
    { messages: orderV, sends: saidV },
  ),
  requireWebsocket(
    async (req) => {
      for await (const { text, at } of req.websocket) {
        is<string>()(text);
        is<Date>()(at);
        req.websocket.send({ from: text });
      }
    },
    { messages: orderA, sends: saidA },
  ),
  acceptWebsocket(
    async (req, res) => {
      if (!req.isWebsocket()) return res.send('a page');
      const first = await req.websocket.wait();
      if (first !== null) is<Date>()(first.at);
      return req.websocket.send({ from: 'Ada' });
    },
    {
      messages: order4,
      sends: saidA,
      invalid: (issues, websocket) => websocket.send({ from: issues[0]?.message ?? '' }),
    },
  ),
  requireWebsocket<{ room: string }, typeof order4, typeof said4>(
    async (req) => {
      is<string>()(req.params.room);
      for await (const { at } of req.websocket) is<Date>()(at);
    },
    { messages: order4, sends: said4 },
  ),
  // A union, told apart by a field.
  requireWebsocket(
    async (req) => {
      for await (const message of req.websocket) {
        if (message.kind === 'say') is<string>()(message.text);
        else is<number>()(message.x);
      }
    },
    {
      messages: z.discriminatedUnion('kind', [
        z.object({ kind: z.literal('say'), text: z.string() }),
        z.object({ kind: z.literal('move'), x: z.number() }),
      ]),
    },
  ),
];

const greet = (websocket: Websocket<Order, Said>) => websocket.send({ from: 'server' });
requireWebsocket((req) => greet(req.websocket), { messages: orderV, sends: said3 });

export async function test(): Promise<void> {
  const client = await connect(() => undefined, '/', { messages: said4, sends: order4 });
  is<TestClient<{ from: string }, { text: string; at: string }>>()(client);
  const run = runHandler(
    async (req) => {
      for await (const { at } of req.websocket) is<Date>()(at);
    },
    {},
    { messages: orderA, sends: saidV },
  );
  is<string | undefined>()((await run.client.wait())?.from);
  const group: Group<{ from: string }> = createGroups({ sends: saidA }).group('a');
  group.send({ from: 'Ada' });
}
