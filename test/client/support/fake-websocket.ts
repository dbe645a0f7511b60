/** A `WebSocket` that does what the test says. All that were created are in `FakeWebSocket.all`. */
export class FakeWebSocket {
  static all: FakeWebSocket[] = [];

  /** The one that was created last. */
  static get last(): FakeWebSocket {
    const last = this.all.at(-1);
    if (last === undefined) throw new Error('the client has made no attempt');
    return last;
  }

  readonly url: string;
  readonly protocols: readonly string[];
  readonly protocol = '';
  readyState = 0;
  bufferedAmount = 0;
  binaryType = 'blob';
  readonly sent: unknown[] = [];
  readonly closedWith: unknown[] = [];
  onopen: (event: unknown) => void = () => {};
  onmessage: (event: { data: unknown }) => void = () => {};
  onerror: (event: { message?: string }) => void = () => {};
  onclose: (event: { code: number; reason: string; wasClean: boolean }) => void = () => {};

  constructor(url: string, protocols: readonly string[]) {
    this.url = url;
    this.protocols = protocols;
    FakeWebSocket.all.push(this);
  }

  send(data: unknown): void {
    this.sent.push(data);
  }

  close(...args: unknown[]): void {
    this.readyState = 2;
    this.closedWith.push(args);
  }

  /** The handshake succeeds. */
  open(): this {
    this.readyState = 1;
    this.onopen({});
    return this;
  }

  /** A message arrives. */
  receive(data: unknown): void {
    this.onmessage({ data });
  }

  /** The connection ends, or the handshake fails. */
  end(code = 1006, reason = '', wasClean = code !== 1006): void {
    this.readyState = 3;
    this.onclose({ code, reason, wasClean });
  }

  /** The handshake fails, as the class that says why does it. */
  fail(message?: string): void {
    this.readyState = 3;
    this.onerror(message === undefined ? {} : { message });
  }
}
