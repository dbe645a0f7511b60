export type Bytes = Uint8Array<ArrayBuffer>;

/** The members of a `WebSocket` that the client uses. */
export interface Socket {
  readonly readyState: number;
  readonly bufferedAmount: number;
  readonly protocol: string;
  binaryType: string;
  onopen: (event: unknown) => void;
  onmessage: (event: { readonly data: string | ArrayBuffer }) => void;
  /** Some errors say why a handshake was refused. */
  onerror: (event: { readonly message?: string }) => void;
  onclose: (event: { readonly code: number; readonly reason: string; readonly wasClean: boolean }) => void;
  send(data: string | Bytes): void;
  close(code?: number, reason?: string): void;
  /** `ws` and Bun have it. Their `close` waits for the peer. */
  terminate?(): void;
}

/** The value of `readyState`. */
export const OPEN = 1;

/** The memory of a message in addition to its bytes. So limits also work for small messages. */
const OVERHEAD = 100;

/** Returns what a message counts in the limits. */
export const sizeOf = (data: string | Bytes): number => data.length + OVERHEAD;

/** Drops a connection, without waiting for the peer if possible. */
export function abandon(socket: Socket | undefined): void {
  if (socket?.terminate) socket.terminate();
  else socket?.close();
}
