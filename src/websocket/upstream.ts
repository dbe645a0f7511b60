import { CloseCode } from '../shared/close-codes.js';
import { setImmediate, setTimeout } from '../shared/real-timers.js';
import type { Data } from './frame.js';

/** The client socket that {@link relay} joins to a websocket: a `WebSocket` of `ws`, or of the platform. */
export interface UpstreamSocket {
  readonly readyState: number;
  readonly bufferedAmount: number;
  binaryType: string;
  send(data: never): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: never, listener: never): void;
}

/** The events of an upstream. */
export interface UpstreamEvents {
  open(): void;
  message(data: Data, binary: boolean): void;
  /** Called once, with the code and the reason of the upstream's close frame. 1006 means no frame. */
  close(code: number, reason: string): void;
}

/** An upstream, whatever its class. */
export interface Upstream {
  /** Whether the upstream is or was open. */
  readonly isConnecting: boolean;
  /** Resolves when the next message may be sent. */
  send(data: string | Buffer): Promise<void>;
  close(code: number, reason: string): void;
  pause(): void;
  resume(): void;
}

const CONNECTING = 0;
const OPEN = 1;

/** Above so many bytes, the next message waits. */
const HIGH_WATER_MARK = 65_536;

/** Milliseconds between two looks at `bufferedAmount`: a WebSocket of the platform has no event for it. */
const POLL = 10;

/** The part of a `WebSocket` of `ws` that one of the platform does not have. */
interface WsSocket extends Omit<UpstreamSocket, 'send' | 'addEventListener'> {
  send(data: Data, callback: () => void): void;
  on(event: string, listener: (...args: never[]) => void): void;
  pause(): void;
  resume(): void;
}

export function openUpstream(socket: UpstreamSocket, events: UpstreamEvents): Upstream {
  return 'on' in socket && 'terminate' in socket
    ? new WsUpstream(socket as unknown as WsSocket, events)
    : new PlatformUpstream(socket, events);
}

class WsUpstream implements Upstream {
  readonly #socket: WsSocket;

  constructor(socket: WsSocket, events: UpstreamEvents) {
    this.#socket = socket;
    // Otherwise text and bytes could not be told apart without a copy.
    socket.binaryType = 'nodebuffer';
    socket.on('open', () => {
      events.open();
    });
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      events.message(data, isBinary);
    });
    socket.on('close', (code: number, reason: Buffer) => {
      events.close(code, reason.toString());
    });
    // 'close' follows.
    socket.on('error', ignore);
  }

  get isConnecting(): boolean {
    return this.#socket.readyState === CONNECTING;
  }

  async send(data: string | Buffer): Promise<void> {
    const written = new Promise<void>((resolve) => {
      this.#socket.send(data, () => {
        resolve();
      });
    });
    if (this.#socket.bufferedAmount > HIGH_WATER_MARK) await written;
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }
}

/** A `WebSocket` of the platform: it cannot pause, and may send only some codes. */
class PlatformUpstream implements Upstream {
  readonly #socket: UpstreamSocket;

  constructor(socket: UpstreamSocket, events: UpstreamEvents) {
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    const on = (type: string, listener: (event: never) => void): void => {
      socket.addEventListener(type as never, listener as never);
    };
    on('open', () => {
      events.open();
    });
    on('message', ({ data }: { data: string | ArrayBuffer }) => {
      events.message(data, typeof data !== 'string');
    });
    let hasClosed = false;
    const onClose = (code: number, reason: string): void => {
      if (!hasClosed) events.close(code, reason);
      hasClosed = true;
    };
    on('close', ({ code, reason }: { code: number; reason: string }) => {
      onClose(code, reason);
    });
    on('error', () => {
      // Node 22 emits no 'close' if it cannot connect. Elsewhere 'close' comes in the same turn.
      setImmediate(onClose, CloseCode.abnormal, '');
    });
  }

  get isConnecting(): boolean {
    return this.#socket.readyState === CONNECTING;
  }

  async send(data: string | Buffer): Promise<void> {
    const socket = this.#socket;
    socket.send(data as never);
    while (socket.bufferedAmount > HIGH_WATER_MARK && socket.readyState === OPEN) {
      await new Promise((resolve) => setTimeout(resolve, POLL));
    }
  }

  /** The platform sends only 1000 and codes of applications. */
  close(code: number, reason: string): void {
    const isAllowed = code === 1000 || code >= 3000;
    if (isAllowed) this.#socket.close(code, reason);
    else this.#socket.close(code === 1001 ? 1000 : 3000 + code, reason);
  }

  pause(): void {
    // It has no such method. What the client does not read is limited by `maxBuffered`.
  }

  resume(): void {
    // See pause().
  }
}

function ignore(): void {
  // See where it is added.
}
