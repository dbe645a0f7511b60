import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { LONG_REASON } from '../app.js';

/** A websocket that tells of messages with events: that of `ws`, which most libraries hand out. */
export interface EventSocket {
  on(event: 'message', listener: (data: Buffer) => void): unknown;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

/** The handlers of the rows as one writes them with events, and with `events.once` where a message is awaited. */
export const handlers = {
  echo(socket: EventSocket): void {
    socket.on('message', (data) => socket.send(data.toString()));
  },
  async pull(socket: EventSocket): Promise<void> {
    const first = await nextMessage(socket);
    await sleep(50);
    socket.send(first + (await nextMessage(socket)));
  },
  async patience(socket: EventSocket): Promise<void> {
    await nextMessage(socket, AbortSignal.timeout(50)).catch(() => socket.send('late'));
    socket.send(await nextMessage(socket));
  },
  async throws(socket: EventSocket): Promise<void> {
    await nextMessage(socket);
    throw new Error('thrown by the handler');
  },
  longReason(socket: EventSocket): void {
    socket.on('message', () => socket.close(4000, LONG_REASON));
  },
};

async function nextMessage(socket: EventSocket, signal?: AbortSignal): Promise<string> {
  const [data] = (await once(socket as never, 'message', signal && { signal })) as [Buffer];
  return data.toString();
}
