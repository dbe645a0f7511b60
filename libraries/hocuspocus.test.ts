import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import type { Hocuspocus } from '@hocuspocus/server';
import * as version3 from 'hocuspocus-provider3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import * as Y from 'yjs';
import { defer, Inbox } from '../test/support/inbox.js';
import { serveBlock } from './support/serve-library.js';

const client4 = { HocuspocusProvider, HocuspocusProviderWebsocket };
const client3 = version3 as unknown as typeof client4;

const SERVERS = {
  4: { anchor: 'hocuspocus', aliases: {} },
  3: { anchor: 'hocuspocus-3', aliases: { '@hocuspocus/server': 'hocuspocus3' } },
};

describe.each([
  { server: 4, version: 4, client: client4 },
  { server: 4, version: 3, client: client3 },
  { server: 3, version: 3, client: client3 },
] as const)('Hocuspocus $server with a client of version $version', ({ server, client }) => {
  const { anchor, aliases } = SERVERS[server];

  async function serve() {
    const site = await serveBlock(anchor, aliases);
    const hocuspocus = site.exports.hocuspocus as Hocuspocus;
    const { configuration } = hocuspocus;
    hocuspocus.configuration = { ...configuration, extensions: [...configuration.extensions] };
    onTestFinished(() => {
      // Removes the hooks of the test.
      hocuspocus.configuration = configuration;
    });
    return { ...site, hocuspocus };
  }

  function connect(url: string, name: string, token = '') {
    const socket = new client.HocuspocusProviderWebsocket({
      url,
      WebSocketPolyfill: WebSocket,
      onOpen() {
        // Otherwise it connects again after a close.
        socket.shouldConnect = false;
      },
    });
    const closes = new Inbox<number>();
    const document = new Y.Doc();
    const provider = new client.HocuspocusProvider({
      websocketProvider: socket,
      name,
      document,
      token,
      onClose({ event }) {
        closes.push(event.code);
      },
    });
    provider.attach();
    onTestFinished(() => {
      provider.destroy();
      socket.destroy();
      document.destroy();
    });
    return { socket, provider, text: document.getText('text'), closes };
  }

  test('two clients edit a document', async () => {
    const { url, expectQuiet } = await serve();
    const one = connect(url('/hocuspocus'), 'notes');
    const two = connect(url('/hocuspocus'), 'notes');
    one.text.insert(0, 'hello');
    await expect.poll(() => two.text.toString()).toBe('hello');
    two.text.insert(5, ' world');
    await expect.poll(() => one.text.toString()).toBe('hello world');
    one.socket.disconnect();
    two.socket.disconnect();
    await expectQuiet();
  });

  test('a slow onAuthenticate loses no message', async () => {
    const { url, hocuspocus } = await serve();
    const asked = defer();
    const allowed = defer();
    hocuspocus.configure({
      async onAuthenticate({ token, requestParameters }) {
        expect([token, requestParameters.get('room')]).toEqual(['secret', '7']);
        asked.resolve();
        await allowed.promise;
      },
    });
    const { text, provider } = connect(url('/hocuspocus?room=7'), 'slow', 'secret');
    await asked.promise;
    text.insert(0, 'typed while the server decided');
    expect(hocuspocus.documents.has('slow')).toBe(false);
    allowed.resolve();
    await expect
      .poll(() => hocuspocus.documents.get('slow')?.getText('text').toString())
      .toBe('typed while the server decided');
    await expect.poll(() => provider.unsyncedChanges).toBe(0);
  });

  test('hooks get the headers of the request', async () => {
    const { url, hocuspocus } = await serve();
    const hosts = new Inbox<string | null | undefined>();
    hocuspocus.configure({
      async onConnect({ requestHeaders }) {
        const { host } = requestHeaders as unknown as { host?: string };
        hosts.push(server === 3 ? host : requestHeaders.get('host'));
      },
    });
    connect(url('/hocuspocus'), 'headers');
    expect(await hosts.next('connection')).toBe(new URL(url()).host);
  });

  test.each(['closes', 'is lost'])('the library notices that a client %s', async (end) => {
    const { url, hocuspocus, expectQuiet } = await serve();
    await expect.poll(() => hocuspocus.getConnectionsCount()).toBe(0);
    const { socket, provider } = connect(url('/hocuspocus'), `left ${end}`);
    await expect.poll(() => provider.isSynced).toBe(true);
    expect(hocuspocus.getConnectionsCount()).toBe(1);
    const { webSocket } = socket as unknown as { webSocket: WebSocket };
    if (end === 'closes') socket.disconnect();
    else webSocket.terminate();
    await expect.poll(() => hocuspocus.getConnectionsCount()).toBe(0);
    // Without clients, the library unloads the document.
    await expect.poll(() => hocuspocus.getDocumentsCount()).toBe(0);
    await expectQuiet();
  });

  test('clients get 1001 when the server shuts down', async () => {
    const { url, shutDown, expectQuiet } = await serve();
    const { provider, closes } = connect(url('/hocuspocus'), 'open');
    await expect.poll(() => provider.isSynced).toBe(true);
    await shutDown();
    expect(await closes.next('close')).toBe(1001);
    await expectQuiet();
  });
});
