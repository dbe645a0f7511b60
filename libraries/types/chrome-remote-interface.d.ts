/** What the tests use of chrome-remote-interface, which has no types of its own. */
declare module 'chrome-remote-interface' {
  import type { EventEmitter } from 'node:events';

  export interface Client extends EventEmitter {
    readonly Page: {
      enable(): Promise<void>;
      navigate(options: { url: string }): Promise<unknown>;
      loadEventFired(): Promise<unknown>;
      close(): Promise<void>;
    };
    readonly Runtime: {
      enable(): Promise<void>;
      evaluate(options: {
        expression: string;
        returnByValue?: boolean;
      }): Promise<{ result: { value: unknown } }>;
      consoleAPICalled(listener: (event: { args: { value: unknown }[] }) => void): void;
    };
    readonly Target: {
      getTargets(): Promise<{ targetInfos: { targetId: string; attached: boolean }[] }>;
    };
    close(): Promise<void>;
  }

  interface Endpoint {
    port: number;
  }

  function CDP(options: { target: string; local: boolean }): Promise<Client>;
  namespace CDP {
    function New(endpoint: Endpoint): Promise<{ id: string }>;
    function Close(target: Endpoint & { id: string }): Promise<void>;
    function Version(endpoint: Endpoint): Promise<{ webSocketDebuggerUrl: string }>;
  }
  export default CDP;
}
