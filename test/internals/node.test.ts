// Each test looks at one private name of Node's HTTP. When one fails on a new Node, its name says what has moved and what
// the package does with it.
import { once } from 'node:events';
import { createServer, get, ServerResponse, type IncomingMessage, type RequestListener } from 'node:http';
import { expect, test } from 'vitest';
import {
  allowsHalfOpen,
  closeResponse,
  createResponse,
  forgetHeaders,
  hasSharedHeader,
  isLastOnConnection,
  markHeadersSent,
  rawHeaderNames,
  responseOn,
  serverOf,
} from '../../src/internals/node.js';
import { listen, serve } from '../support/serve.js';

type Private = Record<string, unknown>;

/** Runs `look` on a request that Node has parsed, then answers it. */
async function onRequest(
  look: (req: IncomingMessage, res: ServerResponse) => void,
  server = createServer(),
): Promise<void> {
  let failure: unknown;
  server.on('request', (req, res) => {
    try {
      look(req, res);
    } catch (error) {
      failure = error;
    }
    res.end();
  });
  const { port } = await listen(server);
  const [response] = (await once(get({ port, agent: false }), 'response')) as [IncomingMessage];
  await once(response.resume(), 'end');
  if (failure !== undefined) throw failure as Error;
}

const unsentResponse = (): ServerResponse => {
  const server = createServer();
  return createResponse(server, { method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1 } as never, 16_384);
};

test('_header: a text there is what headersSent reads; the 101 of a websocket marks its response with it', () => {
  const res = unsentResponse();
  expect(Reflect.get(res, '_header')).toBeNull();
  res.writeHead(101);
  expect((res as unknown as Private)['_header']).toMatch(/^HTTP\/1\.1 101 /);
  markHeadersSent(res);
  expect([res.headersSent, hasSharedHeader(res)]).toEqual([true, true]);
});

test('_header and _hasBody: without them a response can be answered again, with a body', () => {
  const res = unsentResponse();
  res.writeHead(101);
  expect((res as unknown as Private)['_hasBody']).toBe(false);
  forgetHeaders(res);
  expect([res.headersSent, hasSharedHeader(res)]).toEqual([false, false]);
  res.writeHead(200, { 'Content-Length': 2 });
  expect((res as unknown as Private)['_header']).toMatch(/^HTTP\/1\.1 200 /);
});

test("_headerSent: a response marked with it emits 'finish' without a socket", async () => {
  const res = unsentResponse();
  markHeadersSent(res);
  expect(Reflect.get(res, '_headerSent')).toBe(true);
  res.end();
  await once(res, 'finish');
});

test("_closed: it is what `closed` reads, so that 'close' of a response without a socket comes once", () => {
  const res = unsentResponse();
  let count = 0;
  res.on('close', () => count++);
  expect(res.closed).toBe(false);
  closeResponse(res);
  closeResponse(res);
  expect([res.closed, res.destroyed, count]).toEqual([true, true, 1]);
});

test('_httpMessage: names the response that a socket belongs to; an upgrade behind a request waits for it', async () => {
  await onRequest((req, res) => {
    expect(responseOn(req.socket)).toBe(res);
  });
  const res = unsentResponse();
  const { socket } = await acceptedConnection();
  expect(responseOn(socket)).toBeUndefined();
  res.assignSocket(socket);
  expect(responseOn(socket)).toBe(res);
  res.detachSocket(socket);
  expect(responseOn(socket)).toBeUndefined();
});

test('server: names the server of a socket; routes find there what is attached', async () => {
  const server = createServer();
  await onRequest((req) => {
    expect(serverOf(req.socket)).toBe(server);
  }, server);
});

test("Symbol('ServerResponse'): a server holds there the class that createServer was given; upgrades use it, too", () => {
  class Own extends ServerResponse {}
  const server = createServer({ ServerResponse: Own });
  expect(createResponse(server, { method: 'GET' } as never, 16_384)).toBeInstanceOf(Own);
  expect(createResponse(createServer(), { method: 'GET' } as never, 16_384)).not.toBeInstanceOf(Own);
});

test('httpAllowHalfOpen: decides about a client that has ended its side; upgrades obey it, too', () => {
  const server = createServer();
  expect(Reflect.get(server, 'httpAllowHalfOpen')).toBe(false);
  Reflect.set(server, 'httpAllowHalfOpen', true);
  expect(allowsHalfOpen(server)).toBe(true);
});

test('maxRequestsOnConnectionReached: tells the last response of a connection; a 400 that names an upgrade says so', async () => {
  const server = createServer();
  server.maxRequestsPerSocket = 1;
  await onRequest((_req, res) => {
    expect(isLastOnConnection(res)).toBe(true);
  }, server);
  await onRequest((_req, res) => {
    expect(isLastOnConnection(res)).toBe(false);
  });
});

test('getRawHeaderNames: gives the names of headers as they were set, for the 101', () => {
  const res = unsentResponse();
  res.setHeader('X-UseR', 'Ada');
  expect(rawHeaderNames(res)).toContain('X-UseR');
});

async function acceptedConnection() {
  const answer: RequestListener = (_req, res) => void res.end();
  const site = await serve(answer);
  const request = get({ port: site.port, agent: false });
  const [socket] = (await once(site.server, 'connection')) as [import('node:net').Socket];
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  await once(response.resume(), 'end');
  return { socket };
}
