// The class of `ws`, and the types of Node that a client can be given. Compiled, never run.
import { connect } from 'dwebsocket/client';
import { WebSocket } from 'ws';

export function test(): void {
  const socket = connect(new URL('https://a.test/chat'), { WebSocket });
  const signal: AbortSignal = socket.signal;
  const target: EventTarget = socket;
  void fetch('https://a.test', { signal });
  target.dispatchEvent(new Event('state'));
}
