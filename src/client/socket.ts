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

/** Drops a connection, without waiting for the peer if possible. */
export function abandon(socket: Socket): void {
  // `ws` needs a listener for 'error'.
  socket.onopen = socket.onmessage = socket.onerror = socket.onclose = () => undefined;
  socket[socket.terminate ? 'terminate' : 'close']?.();
}
