import { connect, type ClientState } from 'dwebsocket/client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket as WsWebSocket } from 'ws';
import { within } from '../../test/support/inbox.js';
import { requirement } from '../../test/support/requirements.js';
import { findFreePort } from '../../test/support/free-port.js';
import { startProgram } from '../support/program.js';
import { installedVersion } from '../support/versions.js';
import { bun, deno, PYTHON, pythonVersion } from './support/installed.js';
import { programs } from './support/run.js';

/** Servers of others: without groups, and without anything of this package. */
const SERVERS = [
  { name: 'ws', version: installedVersion('clients', 'ws'), command: ['ws.mjs'] },
  { name: 'Bun', version: bun && installedVersion('clients', 'bun'), command: [bun, 'bun.mjs'] },
  {
    name: 'Deno',
    version: deno && installedVersion('clients', 'deno'),
    command: [deno, 'run', '--allow-net', '--allow-env', 'deno.mjs'],
  },
  {
    name: 'Python: websockets',
    version: pythonVersion('import websockets.version; print(websockets.version.version)'),
    command: [PYTHON, 'websockets_server.py'],
  },
];

const { WebSocket = WsWebSocket } = globalThis as { WebSocket?: unknown };
const CLASSES = [...new Set<unknown>([WsWebSocket, WebSocket])];

for (const { name, version, command } of SERVERS)
  describe.runIf(requirement(name, version !== ''))(`a server with ${name}`, () => {
    /** Starts it. After a restart it has the same port. */
    async function serve(port: number) {
      const program = await startProgram(command, {
        cwd: `${programs}/servers`,
        env: { PORT: String(port) },
      });
      onTestFinished(() => program.kill());
      return program;
    }

    function open(url: string, WebSocketClass: unknown) {
      const socket = connect(url, {
        WebSocket: WebSocketClass as never,
        protocols: ['chat'],
        minPause: 1,
        maxPause: 20,
      });
      onTestFinished(async () => {
        await socket.close();
      });
      const reach = (state: ClientState) =>
        within(
          new Promise<void>((resolve) => {
            const look = () => {
              if (socket.state === state) resolve();
            };
            socket.addEventListener('state', look);
            look();
          }),
          `state ${state}`,
        );
      return { socket, reach };
    }

    test.each(CLASSES)(
      'talks with the client, which comes back until the server says goodbye',
      async (Class) => {
        const port = await findFreePort();
        const server = await serve(port);
        const { socket, reach } = open(`ws://127.0.0.1:${port}/`, Class);
        const bytes = new Uint8Array([0, 1, 255]);
        const ask = async (message: string | Uint8Array) => {
          expect(await socket.send(message)).toBe(true);
          return within(socket.wait(), 'echo');
        };
        expect(await ask('Grüße, 世界')).toBe('Grüße, 世界');
        expect(await ask(bytes)).toEqual(bytes);
        expect(socket.protocol).toBe('chat');

        const closed = reach('waiting');
        await socket.send('restart');
        await closed;
        expect(await ask('after the close')).toBe('after the close');

        const lost = reach('waiting');
        await server.kill();
        await lost;
        const answer = ask('after the kill');
        await serve(port);
        expect(await answer).toBe('after the kill');

        await socket.send('bye');
        expect(await within(socket.closed, 'end')).toEqual({ code: 1000, reason: '', wasClean: true });
        expect(await socket.wait()).toBeNull();
      },
    );

    test('is not asked again when it has refused', async () => {
      const port = await findFreePort();
      await serve(port);
      const { socket } = open(`ws://127.0.0.1:${port}/refused`, WsWebSocket);
      expect(await within(socket.closed, 'end')).toMatchObject({ code: 1006, reason: 'refused with 403' });
    });
  });
