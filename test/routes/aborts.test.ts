import { exec, spawn } from 'node:child_process';
import { EventEmitter, on, once } from 'node:events';
import { get } from 'node:http';
import { finished, pipeline } from 'node:stream/promises';
import { addAbortSignal, PassThrough, Readable } from 'node:stream';
import timers from 'node:timers/promises';
import { promisify } from 'node:util';
import express from 'express';
import { expect, test } from 'vitest';
import { requireWebsocket } from 'dwebsocket';
import { connect } from '../support/client.js';
import { Inbox } from '../support/inbox.js';
import { serve, type Site } from '../support/serve.js';

const MINUTE = 60_000;

class APIUserAbortError extends Error {}
class GaxiosError extends Error {}

/** Waits for the abort, and fails with another error, like a library that wraps the abort. */
async function failWith(signal: AbortSignal, facts: object, Kind: new () => Error = Error): Promise<never> {
  await once(signal, 'abort');
  throw Object.assign(new Kind(), facts);
}

/** Returns the signal of another controller, which aborts together with the given signal. */
function follow(signal: AbortSignal, reason?: unknown): AbortSignal {
  const inner = new AbortController();
  signal.addEventListener('abort', () => inner.abort(reason));
  return inner.signal;
}

const nothing = () => new Readable({ read: () => undefined });

type Way = (signal: AbortSignal, address: string) => Promise<unknown>;

const WAYS: Readonly<Record<string, Way>> = {
  fetch: (signal, address) => fetch(`${address}/silent`, { signal }),
  'fetch, half a response': async (signal, address) => (await fetch(`${address}/half`, { signal })).text(),
  'http.get': (signal, address) =>
    new Promise((_resolve, reject) => get(`${address}/silent`, { signal }).on('error', reject)),
  'http.get, half a response': (signal) => failWith(signal, { code: 'ECONNRESET', message: 'aborted' }),
  'events.once': (signal) => once(new EventEmitter(), 'nothing', { signal }),
  'events.on': async (signal) => {
    for await (const event of on(new EventEmitter(), 'nothing', { signal }))
      expect.unreachable(String(event));
  },
  'setTimeout of timers/promises': (signal) => timers.setTimeout(MINUTE, null, { signal }),
  'setInterval of timers/promises': async (signal) => {
    for await (const value of timers.setInterval(MINUTE, null, { signal })) expect.unreachable(String(value));
  },
  'child_process.exec': (signal) => promisify(exec)('sleep 60', { signal }),
  'child_process.spawn': (signal) => once(spawn('sleep', ['60'], { signal }), 'exit'),
  'stream.pipeline': (signal) => pipeline(nothing(), new PassThrough(), { signal }),
  'stream.finished': (signal) => finished(nothing(), { signal }),
  addAbortSignal: (signal) => addAbortSignal(signal, nothing()).toArray(),
  'AbortSignal.any': (signal) =>
    once(process, 'nothing', { signal: AbortSignal.any([signal, AbortSignal.timeout(MINUTE)]) }),
  'signal.throwIfAborted': async (signal) => {
    await once(signal, 'abort');
    signal.throwIfAborted();
  },
  'another controller': (signal) => once(process, 'nothing', { signal: follow(signal) }),
  'a controller with a text as its reason': (signal) =>
    once(process, 'nothing', { signal: follow(signal, 'the client has left') }),
  'a controller with an error as its reason': (signal) =>
    once(process, 'nothing', { signal: follow(signal, new Error('the client has left')) }),
  'Promise.any': (signal) =>
    Promise.any([
      timers.setTimeout(MINUTE, null, { signal }),
      once(new EventEmitter(), 'nothing', { signal }),
    ]),
  // These are the errors of the latest versions of these packages.
  axios: (signal) => failWith(signal, { name: 'CanceledError', code: 'ERR_CANCELED', message: 'canceled' }),
  got: (signal) => failWith(signal, { name: 'AbortError', code: 'ERR_ABORTED', cause: {} }),
  'node-fetch': (signal) => failWith(signal, { name: 'AbortError', type: 'aborted' }),
  undici: (signal) => failWith(signal, { name: 'RequestAbortedError', code: 'UND_ERR_ABORTED' }),
  openai: (signal) => failWith(signal, { message: 'Request was aborted.' }, APIUserAbortError),
  'openai in a minified bundle': (signal) => failWith(signal, { message: 'Request was aborted.' }),
  superagent: (signal) => failWith(signal, { message: 'Aborted', code: 'ABORTED' }),
  gaxios: (signal) => failWith(signal, { cause: { name: 'AbortError' } }, GaxiosError),
  ofetch: (signal) =>
    failWith(signal, {
      name: 'FetchError',
      get cause() {
        return signal.reason as unknown;
      },
    }),
  execa: (signal) => failWith(signal, { name: 'ExecaError', cause: { name: 'AbortError' } }),
  pg: (signal) => failWith(signal, { code: '57014', message: 'canceling statement due to user request' }),
  gRPC: (signal) => failWith(signal, { code: 1, message: '1 CANCELLED: Cancelled on client' }),
  Connect: (signal) => failWith(signal, { name: 'ConnectError', code: 1, message: '[canceled] aborted' }),
};

const FAILURES: Readonly<Record<string, Way>> = {
  'its own error': (signal) => failWith(signal, { message: 'clean-up failed' }),
  'a timeout': (signal) => failWith(signal, { name: 'TimeoutError', code: 23 }),
  'a time-out of axios': (signal) =>
    failWith(signal, { name: 'AxiosError', code: 'ECONNABORTED', message: 'timeout of 1000ms exceeded' }),
  'a refused connection': (signal) => failWith(signal, { code: 'ECONNREFUSED' }),
  'an AggregateError that contains another failure': async (signal) => {
    await once(signal, 'abort');
    throw new AggregateError([signal.reason, new Error('and this')]);
  },
  'an error whose cause is itself': async (signal) => {
    await once(signal, 'abort');
    const error = new Error('round and round');
    throw Object.assign(error, { cause: error });
  },
  'an error with a getter that throws': (signal) => failWith(signal, {}, brokenErrorClass()),
};

async function serveWays(
  ways: Readonly<Record<string, Way>>,
): Promise<{ site: Site; errors: Inbox<unknown> }> {
  const errors = new Inbox<unknown>();
  const elsewhere = await serve((req, res) => {
    if (req.url === '/half') res.writeHead(200, { 'Content-Length': 1_000 }).write('x');
  });
  const app = express();
  app.get(
    '/:way',
    requireWebsocket<{ way: string }>(async ({ websocket, params }) => {
      websocket.send('begun');
      await ways[params.way]!(websocket.signal, `http://127.0.0.1:${String(elsewhere.port)}`);
    }),
  );
  app.use(((error: unknown, _req, res, _next) => {
    errors.push(error);
    res.end();
  }) as express.ErrorRequestHandler);
  app.use((_req, res) => void res.end());
  return { site: await serve(app), errors };
}

/** Disconnects a client while its handler waits, and resolves when the handler has ended. */
async function leave(site: Site, way: string): Promise<void> {
  const client = await connect(site, `/${encodeURIComponent(way)}`);
  await client.next();
  await client.close();
}

test.for(Object.keys(WAYS))('a handler has not failed if it ends with the abort error of %s', async (way) => {
  const { site, errors } = await serveWays(WAYS);
  const ended = new Inbox<string>();
  site.server.on('request', (_req, res) => {
    res.once('finish', () => ended.push(`finish ${String(res.statusCode)}`));
  });
  await leave(site, way);
  expect(await ended.next()).toBe('finish 101');
  expect(errors.rest()).toEqual([]);
});

test.for(Object.keys(FAILURES))(
  'a handler that ends with %s has failed, although the peer has left',
  async (way) => {
    const { site, errors } = await serveWays(FAILURES);
    await leave(site, way);
    expect(await errors.next()).toBeInstanceOf(Error);
  },
);

function brokenErrorClass(): new () => Error {
  return class extends Error {
    get code(): string {
      throw new Error('a getter that throws');
    }
  };
}
