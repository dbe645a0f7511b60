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

/** A library beside us, which takes all upgrade requests of its path and none else. */
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

describe('without a call', () => {
  test('a server is attached when the first client connects', async () => {
    const server = createServer(echo);
    expect(server.listenerCount('upgrade')).toBe(0);
    expect(await say(await listen(server), '/')).toBe('ours: hello');
    expect(server.listenerCount('upgrade')).toBe(1);
  });

  test('beside another library its requests are left to it, ours too, and one warning shows the line to add', async () => {
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

  test('another library that attaches later gets what is its own, too', async () => {
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
    ['the other library does', false],
  ] as const)('tells whose a request is, where %s', async ([, first]) => {
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

  test("requests that are ours get the app's answer, whatever it is", async () => {
    const app = express();
    app.get('/ours/login', (_req, res) => res.redirect('/'));
    const server = createServer(app);
    addNeighbour(server);
    attachWebsocket(server, { owns: ({ url }) => url.startsWith('/ours') });
    const site = await listen(server);
    expect((await requestUpgrade(site, '/ours/login')).status).toBe(302);
    expect((await requestUpgrade(site, '/ours/nowhere')).status).toBe(404);
  });

  test('all others never enter the app', async () => {
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

  test('what nobody has answered by handshakeTimeout gets 503', async () => {
    watchWarnings();
    const server = createServer(echo);
    addNeighbour(server);
    attachWebsocket(server, { handshakeTimeout: 20 });
    const { status, body } = await requestUpgrade(await listen(server), '/nobodys');
    expect(status).toBe(503);
    expect(body).toContain('nobody');
  });

  test.for([
    ['throws', () => JSON.parse('') as never, /threw SyntaxError/],
    ['answers with a promise', (async () => true) as never, /returned an instance of Promise/],
    ['answers with nothing', (() => undefined) as never, /returned undefined/],
  ] as const)('a function that %s leaves the request to others, with one warning', async ([, owns, text]) => {
    const warnings = watchWarnings();
    const server = createServer(echo);
    addNeighbour(server);
    attachWebsocket(server, { owns });
    const site = await listen(server);
    expect(await say(site, '/theirs')).toBe('theirs: hello');
    expect(await say(site, '/theirs')).toBe('theirs: hello');
    const { code, message } = await warnings.next();
    expect([code, text.test(message)]).toEqual(['WEBSOCKET_OWNS', true]);
    expect(message).toContain('it must return true or false at once');
    expect(warnings.rest()).toEqual([]);
  });
});

describe('beside another library that cannot be kept away by any order of listeners', () => {
  const owns = ({ url }: { url?: string | undefined }) => url!.startsWith('/ours');

  test('owns is asked once for each request', async () => {
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

  test('an upgrade to something else that is ours is handled as plain HTTP, and keep-alive goes on', async () => {
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

  test('a handshake behind a request that is answered later leaves that answer whole', async () => {
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

  test('somebody who calls the listeners one by one gets an answer for our requests, too', async () => {
    const outer = createServer();
    const server = createServer(echo);
    attachWebsocket(server);
    outer.on('upgrade', (...args) => {
      for (const listener of server.listeners('upgrade')) Reflect.apply(listener, server, args);
    });
    expect(await say(await listen(outer), '/ours')).toBe('ours: hello');
  });

  test('when all listeners were removed, the next request of ours is refused and the one after it accepted', async () => {
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

describe('a server whose emit somebody else has replaced', () => {
  /** As tracing agents do: it sees each event and passes it on. */
  function traceEvents(server: Server): Inbox<string> {
    const traced = new Inbox<string>();
    const emit = server.emit.bind(server) as (...args: unknown[]) => boolean;
    server.emit = (event: string, ...args: unknown[]) => {
      if (event === 'upgrade' || event === 'request') traced.push(event);
      return emit(event, ...args);
    };
    return traced;
  }

  test.for(['before us', 'after us'])('%s still shows it what it saw', async (order) => {
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

  test('after us can be detached and attached again, and owns is still asked once', async () => {
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
  ] as const)('leaves an %s server as it was, and its open websockets open', async ([, create]) => {
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
    // The methods are those of the class again.
    expect(
      Object.getOwnPropertyNames(server).filter((name) => !own.includes(name) && !name.startsWith('_')),
    ).toEqual([]);
  });

  test('leaves it to server.close() to end the websockets that are open, or still become so', async () => {
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

  test('and attached again while websockets are open, a server has one close() to give back', async () => {
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

  test('keeps later upgrade requests out, also when further clients connect', async () => {
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

  test('can be had again and called in any order', async () => {
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

  test('does not undo what somebody has put in the place of our close()', () => {
    const server = createServer();
    const detach = attachWebsocket(server);
    const theirs = () => server;
    server.close = theirs;
    detach();
    expect(server.close).toBe(theirs);
  });
});

test('a second call changes the options that it gives and keeps the others', async () => {
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

  test('what is no server, and says what to pass', () => {
    const attach = (server: unknown) => () => attachWebsocket(server as never);
    expect(attach(undefined)).toThrow('attachWebsocket takes an http.Server or https.Server; got undefined');
    expect(attach(8000)).toThrow(TypeError);
    expect(attach(express())).toThrow('for an Express app, pass what app.listen() returns');
  });
});
