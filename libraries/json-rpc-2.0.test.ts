import { once } from 'node:events';
import { JSONRPCClient, JSONRPCServer, JSONRPCServerAndClient } from 'json-rpc-2.0';
import { expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { defer } from '../test/support/inbox.js';
import { openLossyLine } from './support/lossy-line.js';
import { serveBlock } from './support/serve-library.js';

interface Peer {
  socket: WebSocket;
  rpc: JSONRPCServerAndClient;
}

/** The library at the client: its documents join it to a WebSocket in this way. */
async function connect(url: string): Promise<Peer> {
  const socket = new WebSocket(url);
  onTestFinished(() => {
    socket.terminate();
  });
  const client = new JSONRPCClient((message) => {
    socket.send(JSON.stringify(message));
  });
  const rpc = new JSONRPCServerAndClient(new JSONRPCServer(), client);
  socket.on('message', (text) => void rpc.receiveAndSend(JSON.parse(String(text))));
  socket.on('close', () => {
    rpc.rejectAllPendingRequests('closed');
  });
  await once(socket, 'open');
  return { socket, rpc };
}

/** Leaves the server alone with a question, and returns what the library says when the client has left. */
async function leaveUnanswered(url: string, leave: (socket: WebSocket) => void): Promise<unknown> {
  const warn = vi.spyOn(console, 'warn').mockReturnValue();
  onTestFinished(() => {
    warn.mockRestore();
  });
  const { socket, rpc } = await connect(url);
  const asked = defer();
  rpc.addMethod('name', () => {
    asked.resolve();
    return new Promise(() => {});
  });
  const greeting = Promise.resolve(rpc.request('greet', undefined));
  greeting.catch(() => {});
  await asked.promise;
  leave(socket);
  await expect(greeting).rejects.toThrow('closed');
  await expect.poll(() => warn.mock.calls).toHaveLength(1);
  return (warn.mock.calls[0] as unknown[])[1];
}

test('either side calls the other, also while a call waits for the other one', async () => {
  const { url, expectQuiet } = await serveBlock('json-rpc-20');
  const { socket, rpc } = await connect(url('/json-rpc'));
  rpc.addMethod('name', async () => {
    await expect(rpc.request('missing', undefined)).rejects.toThrow('Method not found');
    return 'Anna';
  });
  expect(await rpc.request('greet', undefined)).toBe('Hello, Anna!');
  socket.close();
  await expectQuiet();
});

test('the questions to a client that leaves fail', async () => {
  const { url, expectQuiet } = await serveBlock('json-rpc-20');
  const error = await leaveUnanswered(url('/json-rpc'), (socket) => {
    socket.close();
  });
  expect(error).toMatchObject({ message: 'The client has left.' });
  await expectQuiet();
});

test('the questions to a client whose connection is lost fail', async () => {
  const { port, expectQuiet } = await serveBlock('json-rpc-20');
  const line = await openLossyLine(port);
  const error = await leaveUnanswered(line.url('/json-rpc'), line.lose);
  expect(error).toMatchObject({ message: 'The client has left.' });
  await expectQuiet();
});

test('a shutdown closes with 1001', async () => {
  const { url, shutDown, expectQuiet } = await serveBlock('json-rpc-20');
  const { socket } = await connect(url('/json-rpc'));
  const closed = once(socket, 'close');
  await shutDown();
  expect((await closed)[0]).toBe(1001);
  await expectQuiet();
});
