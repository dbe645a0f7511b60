// Each test checks one private name of Node's HTTP. If a test fails on a new Node, its name says what has changed and
// what the package uses it for.
import { once } from 'node:events';
import { createSecureServer, createServer as createHttp2Server } from 'node:http2';
import { createServer, get, ServerResponse, type IncomingMessage, type RequestListener } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import {
  allowsHalfOpen,
  closeResponse,
  createResponse,
  shrinkEmptyEvents,
  forgetHeaders,
  hasSharedHeader,
  http2SettingsOf,
  isLastOnConnection,
  markHeadersSent,
  mayHaveHeaderHooks,
  rawHeaderNames,
  responseOn,
  serverOf,
} from '../../src/internals/node.js';
import { listen, serve } from '../support/serve.js';

type Private = Record<string, unknown>;

/** Runs `check` on a request that Node has parsed, then answers it. */
async function onRequest(
  check: (req: IncomingMessage, res: ServerResponse) => void,
  server = createServer(),
): Promise<void> {
  let failure: unknown;
  server.on('request', (req, res) => {
    try {
      check(req, res);
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

test('_header: headersSent is true when it is set; the package sets it after the 101 of a websocket', () => {
  const res = unsentResponse();
  expect(Reflect.get(res, '_header')).toBeNull();
  res.writeHead(101);
  expect((res as unknown as Private)['_header']).toMatch(/^HTTP\/1\.1 101 /);
  markHeadersSent(res);
  expect([res.headersSent, hasSharedHeader(res)]).toEqual([true, true]);
});

test('_header and _hasBody: after their reset, a response can send new headers and a body', () => {
  const res = unsentResponse();
  res.writeHead(101);
  expect((res as unknown as Private)['_hasBody']).toBe(false);
  forgetHeaders(res);
  expect([res.headersSent, hasSharedHeader(res)]).toEqual([false, false]);
  res.writeHead(200, { 'Content-Length': 2 });
  expect((res as unknown as Private)['_header']).toMatch(/^HTTP\/1\.1 200 /);
});

test("writeHeader: Node's second name of writeHead shows whether middleware or a tracer has replaced writeHead", () => {
  const [major = 0] = process.versions.node.split('.').map(Number);
  // From Node 26 on, a wrapper has that name. Then the package calls writeHead for each websocket.
  expect(mayHaveHeaderHooks(unsentResponse())).toBe(major >= 26);

  const ofMiddleware = unsentResponse();
  ofMiddleware.writeHead = ServerResponse.prototype.writeHead.bind(ofMiddleware) as never;
  expect(mayHaveHeaderHooks(ofMiddleware)).toBe(true);

  const { writeHead } = ServerResponse.prototype;
  onTestFinished(() => void (ServerResponse.prototype.writeHead = writeHead));
  ServerResponse.prototype.writeHead = function (this: ServerResponse, ...args: unknown[]) {
    return Reflect.apply(writeHead, this, args) as ServerResponse;
  } as never;
  expect(mayHaveHeaderHooks(unsentResponse())).toBe(true);
});

test('_events: may be replaced in an emitter that has no listeners', () => {
  // With these arguments, ws creates a server's WebSocket without a socket.
  for (const emitter of [unsentResponse(), new WebSocket(null as never, undefined, {})]) {
    const listener = (): void => undefined;
    emitter.on('close', listener);
    shrinkEmptyEvents(emitter);
    expect(emitter.listenerCount('close')).toBe(1);
    emitter.off('close', listener);
    const events: unknown = Reflect.get(emitter, '_events');
    shrinkEmptyEvents(emitter);
    expect(Reflect.get(emitter, '_events')).not.toBe(events);
    expect([emitter.listenerCount('close'), emitter.eventNames(), emitter.emit('close')]).toEqual([
      0,
      [],
      false,
    ]);
    expect(emitter.emit('constructor')).toBe(false);
    emitter.removeAllListeners('close').off('close', listener);
    let count = 0;
    emitter.once('close', () => count++);
    emitter.emit('close');
    emitter.emit('close');
    expect(count).toBe(1);
  }
});

test("_headerSent: a response that has it set emits 'finish' without a socket", async () => {
  const res = unsentResponse();
  markHeadersSent(res);
  expect(Reflect.get(res, '_headerSent')).toBe(true);
  res.end();
  await once(res, 'finish');
});

test("_closed: `closed` returns it, so a response without a socket emits 'close' only once", () => {
  const res = unsentResponse();
  let count = 0;
  res.on('close', () => count++);
  expect(res.closed).toBe(false);
  closeResponse(res);
  closeResponse(res);
  expect([res.closed, res.destroyed, count]).toEqual([true, true, 1]);
});

test('_httpMessage: holds the response that uses a socket; an upgrade after a request waits for this response', async () => {
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

test('server: holds the server of a socket; routes use it to find what is attached', async () => {
  const server = createServer();
  await onRequest((req) => {
    expect(serverOf(req.socket)).toBe(server);
  }, server);
});

test("Symbol('ServerResponse'): holds the class that createServer received; upgrades use the same class", () => {
  class Custom extends ServerResponse {}
  const server = createServer({ ServerResponse: Custom });
  expect(createResponse(server, { method: 'GET' } as never, 16_384)).toBeInstanceOf(Custom);
  expect(createResponse(createServer(), { method: 'GET' } as never, 16_384)).not.toBeInstanceOf(Custom);
});

test('httpAllowHalfOpen: decides whether a client that has ended its side stays connected; upgrades follow it', () => {
  const server = createServer();
  expect(Reflect.get(server, 'httpAllowHalfOpen')).toBe(false);
  Reflect.set(server, 'httpAllowHalfOpen', true);
  expect(allowsHalfOpen(server)).toBe(true);
});

test('maxRequestsOnConnectionReached: marks the last response of a connection; a refusal then says close', async () => {
  const server = createServer();
  server.maxRequestsPerSocket = 1;
  await onRequest((_req, res) => {
    expect(isLastOnConnection(res)).toBe(true);
  }, server);
  await onRequest((_req, res) => {
    expect(isLastOnConnection(res)).toBe(false);
  });
});

test('getRawHeaderNames: returns the header names as they were set; the 101 uses this spelling', () => {
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

test('the settings of an HTTP/2 server, so that a window that the app has chosen stays', () => {
  const settings = { initialWindowSize: 70_000 };
  for (const server of [createHttp2Server({ settings }), createSecureServer({ settings })]) {
    expect(http2SettingsOf(server).initialWindowSize).toBe(70_000);
    server.updateSettings({ initialWindowSize: 80_000 });
    expect(http2SettingsOf(server).initialWindowSize).toBe(80_000);
  }
});
