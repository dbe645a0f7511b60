import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeMessages, LONG_REASON, makeBroadcast, PINGS, type Tell } from '../app.js';

/** A websocket that emits messages as events: that of `ws`, which most libraries hand out. */
export interface EventSocket {
  on(event: 'message', listener: (data: Buffer) => void): unknown;
  on(event: 'close', listener: () => void): unknown;
  send(data: string): void;
  ping(): void;
  /** Not before ws 8; express-ws comes with ws 7. */
  pause?(): void;
  resume?(): void;
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
  async collects(socket: EventSocket, tell: Tell): Promise<void> {
    const messages: Buffer[] = [];
    const pings = setInterval(() => socket.ping(), 100);
    socket.on('message', (data) => messages.push(data));
    socket.on('close', () => {
      clearInterval(pings);
      tell(describeMessages(messages));
    });
    socket.pause?.();
    await sleep(1_000);
    socket.resume?.();
  },
  ticks(socket: EventSocket): void {
    const timer = setInterval(() => socket.send('tick'), 1_000);
    socket.on('close', () => clearInterval(timer));
  },
  pings(socket: EventSocket): void {
    socket.on('message', (data) => {
      for (let i = 0; i < PINGS; i++) socket.ping();
      socket.send(data.toString());
    });
  },
  broadcasts(socket: EventSocket, clients: Iterable<EventSocket>): void {
    socket.on('message', () => {
      const news = makeBroadcast();
      for (const client of clients) client.send(news);
    });
  },
  longReason(socket: EventSocket): void {
    socket.on('message', () => socket.close(4000, LONG_REASON));
  },
  async throws(socket: EventSocket): Promise<void> {
    await nextMessage(socket);
    throw new Error('thrown by the handler');
  },
  throwsAtOnce(): void {
    throw new Error('thrown by the handler');
  },
};

async function nextMessage(socket: EventSocket, signal?: AbortSignal): Promise<string> {
  const [data] = (await once(socket as never, 'message', signal && { signal })) as [Buffer];
  return data.toString();
}
