import type { EventEmitter } from 'node:events';
import type { IsAny } from '../shared/is-any.js';

// In a project without the types of ws, TypeScript does not find the module, and resolves this type to `any`.

/** @ts-ignore: `@types/ws` is not a dependency */
type OfWs = import('ws').WebSocket;
type OfPlatform = typeof globalThis extends { WebSocket: { prototype: infer W } } ? W : unknown;

/** What is left in a project without the types of ws. */
interface Basic extends EventEmitter {
  readonly readyState: number;
  readonly bufferedAmount: number;
  readonly protocol: string;
  readonly extensions: string;
  readonly isPaused: boolean;
  send(data: unknown, callback?: (error?: Error) => void): void;
  send(
    data: unknown,
    options: { binary?: boolean | undefined; fin?: boolean | undefined },
    callback?: (error?: Error) => void,
  ): void;
  close(code?: number, reason?: string): void;
  ping(data?: unknown, mask?: boolean, callback?: (error: Error) => void): void;
  pong(data?: unknown, mask?: boolean, callback?: (error: Error) => void): void;
  terminate(): void;
  pause(): void;
  resume(): void;
}

/**
 * A websocket that was handed over: the `WebSocket` of `ws`, and also of lib.dom and of Node's types, as far as a project has
 * these types.
 */
export type HandedOverWebsocket = (IsAny<OfWs> extends true ? Basic : OfWs) & OfPlatform;

/** What `new WebSocketServer({ noServer: true })` of `ws` returns. */
export interface LibraryServer {
  emit(event: string, ...args: never[]): boolean;
}

/** Lists the options of `websocket.stream()`. */
export interface StreamOptions {
  /**
   * Whether the chunks that you read are messages: strings for text, Buffers for bytes. Otherwise all chunks are Buffers.
   *
   * @default false
   */
  objectMode?: boolean | undefined;
  /**
   * Whether to send all chunks as binary (`true`) or as text (`false`). As text, a character whose bytes are in two chunks
   * goes out with the second one.
   *
   * @default bytes as binary, strings as text
   */
  binary?: boolean | undefined;
}
