import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import express from 'express';
import { describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { attachWebsocket, openWebsockets, requireWebsocket } from 'dwebsocket';
import { connect } from '../support/client.js';
import { defer, Inbox, within } from '../support/inbox.js';
import { connectRaw, handshakeRequest } from '../support/raw-client.js';
import { request, requestUpgrade } from '../support/request.js';
import { CERTIFICATE, listen, serve, type Site } from '../support/serve.js';
import { watchWarnings } from '../support/warnings.js';

const echo = requireWebsocket(async ({ websocket }) => {
  for await (const message of websocket) websocket.send(`ours: ${String(message)}`);
});

/** Adds another library, which handles all upgrade requests of its path and no others. */
function addNeighbour(server: Server, path = '/theirs') {
  const wss = new WebSocketServer({ noServer: true });
  const asked = new Inbox<string>();
  server.on('upgrade', (req, socket: Duplex, head) => {
    asked.push(req.url!);
    if (req.url !== path) return;
    wss.handleUpgrade(req, socket, head, (ws) => {
      ws.on('message', (data: Buffer) => ws.send(`theirs: ${data.toString()}`));
    });
  });
  return asked;
}

async function say(site: Site, path: string): Promise<unknown> {
  const client = await connect(site, path);
  client.send('hello');
  return client.next();
}

describe('without a call of attachWebsocket', () => {
  test('a server is attached when the first client connects', async () => {
    const server = createServer(echo);
    expect(server.listenerCount('upgrade')).toBe(0);
    expect(await say(await listen(server), '/')).toBe('ours: hello');
    expect(server.listenerCount('upgrade')).toBe(1);
  });

  test('another library on the server handles all upgrade requests, and one warning shows the line to add', async () => {
    const warnings = watchWarnings();
    const server = createServer(echo);
    addNeighbour(server);
    const site = await listen(server);
    expect(await say(site, '/theirs')).toBe('theirs: hello');
    const client = await connectRaw(site.port, { path: '/ours?secret=1' });
    expect(await say(site, '/theirs')).toBe('theirs: hello');
    expect(client.socket.bytesRead).toBe(0);
    client.destroy();
    const { code, message } = await warnings.next();
    expect(code).toBe('WEBSOCKET_SHARED_SERVER');
    expect(message).toContain('attachWebsocket(server, { owns: (req) => req.url.startsWith(');
    expect(message).not.toContain('secret');
    expect(warnings.rest()).toEqual([]);
  });

  test('another library that attaches later handles its own requests, too', async () => {
    watchWarnings();
    const site = await serve(echo);
    expect(await say(site, '/theirs')).toBe('ours: hello');
    addNeighbour(site.server);
    expect(await say(site, '/theirs')).toBe('theirs: hello');
  });
});

describe('owns', () => {
  test.for([
    ['we attach first', true],
    ['the other library attaches first', false],
  ] as const)('says whose a request is, if %s', async ([, first]) => {
    const warnings = watchWarnings();
    const server = createServer(echo);
    const owns = ({ url }: { url?: string | undefined }) => url!.startsWith('/ours');
    if (first) attachWebsocket(server, { owns });
    const asked = addNeighbour(server);
    if (!first) attachWebsocket(server, { owns });
    const site = await listen(server);
    expect(await say(site, '/ours/a')).toBe('ours: hello');
    expect(await say(site, '/theirs')).toBe('theirs: hello');
    expect(await say(site, '/ours/b')).toBe('ours: hello');
    expect(asked.rest()).toEqual(['/theirs']);
    expect(warnings.rest()).toEqual([]);
  });

  test('our requests get the answer of the app, with any status', async () => {
    const app = express();
    app.get('/ours/login', (_req, res) => res.redirect('/'));
    const server = createServer(app);
    addNeighbour(server);
    attachWebsocket(server, { owns: ({ url }) => url.startsWith('/ours') });
    const site = await listen(server);
    expect((await requestUpgrade(site, '/ours/login')).status).toBe(302);
    expect((await requestUpgrade(site, '/ours/nowhere')).status).toBe(404);
  });

  test('other requests never reach the app', async () => {
    const entered: string[] = [];
    const server = createServer((req, res) => {
      entered.push(req.url!);
      res.end();
    });
    addNeighbour(server);
    attachWebsocket(server, { owns: () => false });
    const site = await listen(server);
    expect(await say(site, '/theirs')).toBe('theirs: hello');
    await request(site, '/plain');
    expect(entered).toEqual(['/plain']);
  });

  test('a request without an answer gets 503 after handshakeTimeout', async () => {
    watchWarnings();
    const server = createServer(echo);
    addNeighbour(server);
    attachWebsocket(server, { handshakeTimeout: 20 });
    const { status, body } = await requestUpgrade(await listen(server), '/nobodys');
    expect(status).toBe(503);
    expect(body).toContain('no listener on this server');
  });

  test.for([
    ['throws', () => JSON.parse('') as never, /threw SyntaxError/],
    ['returns a promise', (async () => true) as never, /returned an instance of Promise/],
    ['returns undefined', (() => undefined) as never, /returned undefined/],
  ] as const)(
    'a function that %s leaves the request to other listeners, with one warning',
    async ([, owns, text]) => {
      const warnings = watchWarnings();
      const server = createServer(echo);
      addNeighbour(server);
      attachWebsocket(server, { owns });
      const site = await listen(server);
      expect(await say(site, '/theirs')).toBe('theirs: hello');
      expect(await say(site, '/theirs')).toBe('theirs: hello');
      const { code, message } = await warnings.next();
      expect([code, text.test(message)]).toEqual(['WEBSOCKET_OWNS', true]);
      expect(message).toContain('return true or false, and no promise');
      expect(warnings.rest()).toEqual([]);
    },
  );
});

describe('on a server with another library that handles all requests, in any order of listeners', () => {
  const owns = ({ url }: { url?: string | undefined }) => url!.startsWith('/ours');

  test('owns is called once for each request', async () => {
    const server = createServer(echo);
    addNeighbour(server);
    const asked: string[] = [];
    attachWebsocket(server, {
      owns: (req) => {
        asked.push(req.url);
        return owns(req);
      },
    });
    const site = await listen(server);
    expect(await say(site, '/ours')).toBe('ours: hello');
    expect(await say(site, '/theirs')).toBe('theirs: hello');
    expect(asked).toEqual(['/ours', '/theirs']);
  });

  test('our upgrade request to another protocol is handled as plain HTTP, and keep-alive still works', async () => {
    const server = createServer((req, res) => res.end(`plain ${req.url!}`));
    const asked = addNeighbour(server);
    attachWebsocket(server, { owns });
    const site = await listen(server);
    const h2c = 'GET /ours HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n';
    const client = await connectRaw(site.port, { request: h2c });
    const { status, body } = await client.response();
    expect(status).toBe(200);
    client.write(h2c);
    await client.until(() => body().split('plain /ours').length === 3, 'a second answer');
    client.destroy();
    expect(asked.rest()).toEqual([]);
  });

  test('a pipelined handshake does not cut off the response to the request before it', async () => {
    const server = createServer((req, res) => {
      if (req.headers.upgrade === undefined) setImmediate(() => res.end('the first answer'));
      else echo(req, res);
    });
    addNeighbour(server);
    attachWebsocket(server, { owns });
    const site = await listen(server);
    const client = await connectRaw(site.port, {
      request: `GET / HTTP/1.1\r\nHost: a\r\n\r\n${handshakeRequest({ path: '/ours' })}`,
    });
    const { body } = await client.response();
    await client.until(() => body().includes('101 Switching Protocols'), 'the 101');
    expect(body()).toMatch(/^the first answerHTTP\/1\.1 101 /);
    client.destroy();
  });

  test('code that calls each listener directly gets an answer for our requests, too', async () => {
    const outer = createServer();
    const server = createServer(echo);
    attachWebsocket(server);
    outer.on('upgrade', (...args) => {
      for (const listener of server.listeners('upgrade')) Reflect.apply(listener, server, args);
    });
    expect(await say(await listen(outer), '/ours')).toBe('ours: hello');
  });

  test('if all listeners are removed, our next request is refused, and the one after it is accepted', async () => {
    watchWarnings();
    const app = express();
    app.get('/ours', echo);
    const site = await serve(app);
    expect(await say(site, '/ours')).toBe('ours: hello');
    site.server.removeAllListeners('upgrade');
    expect((await requestUpgrade(site, '/ours')).status).toBe(503);
    expect(await say(site, '/ours')).toBe('ours: hello');
  });
});

describe('a server whose emit other code has replaced', () => {
  /** Replaces emit as tracing agents do: records each event, and passes it on. */
  function traceEvents(server: Server): Inbox<string> {
    const traced = new Inbox<string>();
    const emit = server.emit.bind(server) as (...args: unknown[]) => boolean;
    server.emit = (event: string, ...args: unknown[]) => {
      if (event === 'upgrade' || event === 'request') traced.push(event);
      return emit(event, ...args);
    };
    return traced;
  }

  test.for(['before us', 'after us'])('%s: that code still sees every event', async (order) => {
    const server = createServer(echo);
    if (order === 'after us') attachWebsocket(server, { owns: ({ url }) => url === '/ours' });
    const traced = traceEvents(server);
    if (order === 'before us') attachWebsocket(server, { owns: ({ url }) => url === '/ours' });
    const asked = addNeighbour(server);
    const site = await listen(server);
    expect(await say(site, '/ours')).toBe('ours: hello');
    expect(await say(site, '/theirs')).toBe('theirs: hello');
    expect(asked.rest()).toEqual(['/theirs']);
    expect(traced.rest()).toEqual(
      order === 'before us' ? ['request', 'upgrade'] : ['upgrade', 'request', 'upgrade'],
    );
  });

  test('after us: the server can be detached and attached again, and owns is still called once', async () => {
    const server = createServer(echo);
    const asked: string[] = [];
    const owns = ({ url }: { url: string }) => {
      asked.push(url);
      return url === '/ours';
    };
    const detach = attachWebsocket(server, { owns });
    traceEvents(server);
    addNeighbour(server, '/both');
    const site = await listen(server);
    detach();
    expect(await say(site, '/both')).toBe('theirs: hello');
    expect(asked).toEqual([]);
    attachWebsocket(server);
    expect(await say(site, '/ours')).toBe('ours: hello');
    expect(await say(site, '/both')).toBe('theirs: hello');
    expect(asked).toEqual(['/ours', '/both']);
  });
});

describe('the function that detaches', () => {
  test.for([
    ['http', () => createServer(echo)],
    ['https', () => createTlsServer(CERTIFICATE, echo)],
  ] as const)('restores the methods of an %s server, and leaves its websockets open', async ([, create]) => {
    const server = create();
    const own = Object.getOwnPropertyNames(server);
    const detach = attachWebsocket(server);
    const site = await listen(server);
    const client = await connect(site);
    detach();
    detach();
    expect(server.listenerCount('upgrade')).toBe(0);
    client.send('still there?');
    expect(await client.next()).toBe('ours: still there?');
    const [websocket] = openWebsockets(server);
    await client.close();
    await websocket!.closed;
    await new Promise((resolve) => setImmediate(resolve));
    // The server has the methods of its class again.
    expect(
      Object.getOwnPropertyNames(server).filter((name) => !own.includes(name) && !name.startsWith('_')),
    ).toEqual([]);
  });

  test('does not close websockets: server.close() closes the open ones and those that open later', async () => {
    const mayGoOn = defer();
    const arrived = new Inbox<void>();
    const app = express();
    app.get('/late', (_req, _res, next) => {
      arrived.push();
      void mayGoOn.promise.then(() => next());
    });
    app.use(echo);
    const server = createServer(app);
    const detach = attachWebsocket(server);
    const site = await listen(server);
    const early = await connect(site, '/early');
    const late = connect(site, '/late');
    await arrived.next();
    detach();
    await early.close();
    mayGoOn.resolve();
    const client = await late;
    const closed = new Promise((resolve) => server.close(resolve));
    expect(await client.closed()).toEqual({ code: 1001, reason: '' });
    await within(closed, 'callback');
  });

  test('restores the original close(), even if the server was attached again while websockets were open', async () => {
    const server = createServer(echo);
    const detach = attachWebsocket(server);
    const client = await connect(await listen(server));
    const [websocket] = openWebsockets(server);
    detach();
    attachWebsocket(server);
    await client.close();
    await websocket!.closed;
    await new Promise((resolve) => setImmediate(resolve));
    expect(Object.hasOwn(server, 'close')).toBe(true);
    detach();
    expect(Object.hasOwn(server, 'close')).toBe(false);
  });

  test('stops later upgrade requests, also when new clients connect', async () => {
    watchWarnings();
    const app = express();
    app.get('/page', (_req, res) => res.send('a page'));
    app.get('/echo', echo);
    const server = createServer(app);
    const detach = attachWebsocket(server);
    const site = await listen(server);
    expect(await say(site, '/echo')).toBe('ours: hello');
    detach();
    expect(await requestUpgrade(site, '/page')).toMatchObject({ status: 200, body: 'a page' });
    expect((await requestUpgrade(site, '/echo')).status).toBe(503);
    attachWebsocket(server);
    expect(await say(site, '/echo')).toBe('ours: hello');
  });

  test('may be called several times and in any order', async () => {
    const server = createServer(echo);
    const [first, second] = [attachWebsocket(server), attachWebsocket(server)];
    expect(server.listenerCount('upgrade')).toBe(1);
    first();
    const third = attachWebsocket(server);
    expect(await say(await listen(server), '/')).toBe('ours: hello');
    third();
    second();
    first();
    expect(server.listenerCount('upgrade')).toBe(0);
  });

  test('keeps a close() with which other code has replaced ours', () => {
    const server = createServer();
    const detach = attachWebsocket(server);
    const theirs = () => server;
    server.close = theirs;
    detach();
    expect(server.close).toBe(theirs);
  });
});

test('a second call changes the options in it, and keeps the others', async () => {
  const server = createServer(echo);
  addNeighbour(server);
  attachWebsocket(server, { owns: ({ url }) => url === '/ours', handshakeTimeout: 60_000 });
  attachWebsocket(server, { handshakeTimeout: 20 });
  const site = await listen(server);
  expect(await say(site, '/ours')).toBe('ours: hello');
  attachWebsocket(server, { owns: ({ url }) => url === '/others' });
  expect(await say(site, '/others')).toBe('ours: hello');
});

describe('refuses', () => {
  test.for([
    [
      'owns',
      { owns: '/chat' },
      TypeError,
      /option "owns" must be a function \(req\) => boolean; got the string/,
    ],
    [
      'handshakeTimeout',
      { handshakeTimeout: 0 },
      RangeError,
      /option "handshakeTimeout" must be whole milliseconds/,
    ],
    ['handshakeTimeout', { handshakeTimeout: 1.5 }, RangeError, /got the number 1\.5/],
    ['handshakeTimeout', { handshakeTimeout: '10' }, TypeError, /got the string "10"/],
    ['own', { own: () => true }, TypeError, /unknown option "own"; did you mean "owns"\?/],
    ['options', [], TypeError, /option "options" must be an object/],
  ] as const)('the option %s, %j', ([option, options, Kind, message]) => {
    const server = createServer();
    const attach = () => attachWebsocket(server, options as never);
    expect(attach).toThrow(Kind);
    expect(attach).toThrow(message);
    expect(attach).toThrow(expect.objectContaining({ code: 'ERR_WEBSOCKET_OPTION', option }));
    expect(server.listenerCount('upgrade')).toBe(0);
  });

  test('a value that is not a server, and says what to pass', () => {
    const attach = (server: unknown) => () => attachWebsocket(server as never);
    expect(attach(undefined)).toThrow(
      'attachWebsocket takes a server of node:http, node:https or node:http2; got undefined',
    );
    expect(attach(8000)).toThrow(TypeError);
    expect(attach(express())).toThrow('for an Express app, pass what app.listen() returns');
    expect(attach({ httpServer: createServer() })).toThrow('got an object; pass its field httpServer');
    expect(attach({ server: createServer() })).toThrow('; pass its field server');
    expect(attach({ server: {} })).not.toThrow('pass its field');
    expect(attach(null)).toThrow(
      'got null; if it is the httpServer of Vite in middleware mode, pass the server',
    );
  });
});
