declare module 'protoo-client' {
  import type { EventEmitter } from 'node:events';

  export class WebSocketTransport extends EventEmitter {
    constructor(url: string, options?: { retry?: { retries: number } });
  }
  export class Peer extends EventEmitter {
    constructor(transport: WebSocketTransport);
    request(method: string, data?: unknown): Promise<unknown>;
    close(): void;
  }
}

declare module 'protoo-server' {
  interface Peer {
    readonly id: string;
    request(method: string, data?: unknown): Promise<unknown>;
  }
  export class Room {
    readonly peers: Peer[];
    hasPeer(id: string): boolean;
    getPeer(id: string): Peer | undefined;
    close(): void;
  }
}

declare module 'autobahn' {
  export interface Session {
    readonly id: number;
    subscribe(topic: string, handler: (args: unknown[]) => void): Promise<unknown>;
    publish(topic: string, args: unknown[], kwargs: object, options: { acknowledge: true }): Promise<unknown>;
    register(procedure: string, endpoint: (args: number[]) => unknown): Promise<unknown>;
    call(procedure: string, args: unknown[]): Promise<unknown>;
  }
  interface Connection {
    readonly isOpen: boolean;
    onopen: (session: Session) => void;
    open(): void;
    close(): void;
  }
  const autobahn: {
    Connection: new (options: { url: string; realm: string; max_retries: number }) => Connection;
    log: { warn: () => void };
  };
  export default autobahn;
}

declare module 'fox-wamp' {
  export default class FoxRouter {
    getSession(id: number): object | undefined;
  }
}
