/** What the tests use of ssh2, which has no types of its own. */
declare module 'ssh2' {
  import type { Duplex } from 'node:stream';

  class Client {
    connect(options: { sock: Duplex; username: string; password: string }): this;
    exec(command: string, callback: (error: Error | undefined, channel: Duplex) => void): this;
    end(): this;
    on(event: 'ready', listener: () => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
  }

  const ssh2: { Client: typeof Client };
  export default ssh2;
  export type { Client };
}
