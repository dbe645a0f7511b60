/** The part of Bun's types that the candidate needs. */
declare module 'bun' {
  interface BunServer {
    readonly port: number;
    upgrade(request: Request): boolean;
  }
  interface BunWebsocket {
    send(message: string | Uint8Array): number;
  }
  export function serve(options: {
    port: number;
    hostname: string;
    fetch: (request: Request, server: BunServer) => Response | undefined;
    websocket: {
      idleTimeout: number;
      message(websocket: BunWebsocket, message: string | Uint8Array): void;
    };
  }): BunServer;
}
