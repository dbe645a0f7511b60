import { connect, type ClientState, type ClientUrl, type CloseInfo } from 'dwebsocket/client';
import { onTestFinished } from 'vitest';
import { WebSocket as WsWebSocket } from 'ws';
import { Inbox } from '../../support/inbox.js';

/** The options of `connect`, whatever the messages are. */
export type Options = NonNullable<Parameters<typeof connect>[1]>;

/** The class of this Node. Node 20 has none. */
export const PlatformWebSocket = (globalThis as { WebSocket?: unknown }).WebSocket ?? WsWebSocket;

/** Pauses for tests that wait for real reconnections. */
export const QUICK = { minPause: 1, maxPause: 20 };

/** Opens a client that reconnects at once. It stops with the test. */
export const openClient = ((url: ClientUrl, options?: Options) => {
  const socket = connect(url, { WebSocket: PlatformWebSocket as never, ...QUICK, ...options });
  onTestFinished(async () => {
    await socket.close();
  });
  return socket;
}) as typeof connect;

/** The states of a client from now on, one by one. */
export function watchStates(socket: { state: ClientState } & EventTarget): Inbox<ClientState> {
  const states = new Inbox<ClientState>();
  socket.addEventListener('state', () => {
    states.push(socket.state);
  });
  return states;
}

/** Resolves when the client has the state, at once if it has it now. */
export async function reach(
  socket: { state: ClientState; lastClose: CloseInfo | undefined } & EventTarget,
  state: ClientState,
): Promise<void> {
  const states = watchStates(socket);
  if (socket.state === state) return;
  while ((await states.next(`state "${state}"`)) !== state);
}
