// What the package does only on Bun. `compatibility/runtimes` runs it there; these tests hold that Node is left alone.
import { once } from 'node:events';
import { get, Server, ServerResponse, type IncomingMessage } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import * as ws from 'ws';
import {
  isBun,
  isNativeWebsocket,
  isSubstitute,
  LISTENERS_AFTER_UPGRADE,
  setHeadersSent,
  unwrapWs,
  watchConnections,
  writeToSocket,
} from '../../src/internals/bun.js';
import { serve } from '../support/serve.js';

test('on Node, ws and responses stay as they are', () => {
  expect(isBun).toBe(false);
  const module = { ...ws, PerMessageDeflate: undefined };
  expect(unwrapWs(module)).toBe(module);
  expect(LISTENERS_AFTER_UPGRADE).toBe(0);
  const res = new ServerResponse({ method: 'GET' } as IncomingMessage);
  const before = Object.getOwnPropertySymbols(res).map((symbol) => Reflect.get(res, symbol) as unknown);
  setHeadersSent(res, true);
  writeToSocket(res);
  expect(res.headersSent).toBe(false);
  expect(Object.getOwnPropertySymbols(res).map((symbol) => Reflect.get(res, symbol) as unknown)).toEqual(
    before,
  );
  expect([isSubstitute(res), isNativeWebsocket(res)]).toEqual([false, false]);
});

test('the package leaves the prototype of servers alone on Node', () => {
  expect(Object.hasOwn(Server.prototype, 'emit')).toBe(false);
});

test('watchConnections tells of each server with its connections, until it is stopped', async () => {
  const seen: Server[] = [];
  const stop = watchConnections((server) => seen.push(server));
  onTestFinished(stop);
  const visit = async (port: number) => {
    const [response] = (await once(get({ port, agent: false }), 'response')) as [IncomingMessage];
    await once(response.resume(), 'end');
    return response.statusCode;
  };
  const first = await serve((_req, res) => void res.end());
  const second = await serve((_req, res) => void res.end());
  expect([await visit(first.port), await visit(second.port)]).toEqual([200, 200]);
  expect(seen).toEqual([first.server, second.server]);
  stop();
  expect(Object.hasOwn(Server.prototype, 'emit')).toBe(false);
  expect(await visit(first.port)).toBe(200);
  expect(seen).toHaveLength(2);
});
