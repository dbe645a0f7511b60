/** Runs a stream of frames through `ws`'s own `Receiver`, alone or with our reader before it, and tells what came of it. */
import * as ws from 'ws';
import { readAhead, type Receiver, type ReadTarget } from '../../src/websocket/reader.js';
import type { Random } from '../hostile/fuzz/random.js';

interface Deflate {
  accept(offers: object[]): object;
  cleanup(): void;
}
// What ws exports and its types leave out.
const { Receiver: WsReceiver, PerMessageDeflate } = ws as unknown as {
  Receiver: new (options: object) => Receiver;
  PerMessageDeflate: new (options: object) => Deflate;
};

export interface StreamOptions {
  maxPayload?: number;
  deflate?: boolean;
  /** Decides after each message whether the target pauses; it goes on a turn later. */
  pauses?: Random;
  /** Ends the stream in the turn of its last chunk, as a client does that leaves at once. */
  endsAtOnce?: boolean;
}

/** What has come out: `text …`, `binary …`, `ping …`, `pong …`, `close …` and, at last, `error …`. */
export type Outcome = string[];

/** The chunks go to `ws` alone. */
export async function receiveAlone(chunks: readonly Buffer[], options: StreamOptions = {}): Promise<Outcome> {
  const { receiver, ended, outcome, clean } = open(options);
  for (const chunk of chunks) {
    if (!receiver.writable) break;
    await new Promise((resolve) => receiver.write(Buffer.from(chunk), resolve));
  }
  if (receiver.writable) receiver.end();
  await ended;
  clean();
  return outcome;
}

/** The chunks go through our reader. */
export async function receiveAhead(chunks: readonly Buffer[], options: StreamOptions = {}): Promise<Outcome> {
  const { receiver, ended, outcome, clean } = open(options);
  const target = new Target(outcome, options.pauses);
  const { maxPayload = 0 } = options;
  readAhead(receiver, target, { maxPayload: maxPayload || 2 ** 31 - 1, inflates: options.deflate === true });
  target.resume = () => {
    receiver.reader?.resume();
    // It may have paused again with the last message that was held; then only now nothing is held.
    if (receiver.write(Buffer.alloc(0)) && !target.isPaused) target.resumeSocket();
  };
  receiver.on('message', () => {
    target.maybePause();
  });
  for (const chunk of chunks) {
    if (!receiver.writable) break;
    // In memory of its own, as a socket delivers it: it is unmasked in place.
    const mayFlow = receiver.write(Buffer.from(chunk));
    if (options.endsAtOnce === true && chunk === chunks.at(-1)) break;
    if (!mayFlow) await Promise.race([target.flows(), ended]);
  }
  if (receiver.writable) receiver.end();
  await ended;
  clean();
  return outcome;
}

class Target implements ReadTarget {
  isPaused = false;
  isRateLimited = false;
  resume: () => void = () => undefined;
  readonly #outcome: Outcome;
  readonly #pauses: Random | undefined;
  #flow: (() => void) | undefined;

  constructor(outcome: Outcome, pauses: Random | undefined) {
    this.#outcome = outcome;
    this.#pauses = pauses;
  }

  admit(): boolean {
    return true;
  }

  read(message: string | Buffer, size: number): void {
    const bytes = Buffer.from(message as string);
    if (bytes.length !== size) this.#outcome.push(`a message of ${bytes.length} bytes told as ${size}`);
    this.#outcome.push(`${typeof message === 'string' ? 'text' : 'binary'} ${bytes.toString('latin1')}`);
    this.maybePause();
  }

  maybePause(): void {
    if (this.#pauses?.chance(0.3) !== true || this.isPaused) return;
    this.isPaused = true;
    setImmediate(() => {
      this.isPaused = false;
      this.resume();
    });
  }

  resumeSocket(): void {
    if (this.isPaused) this.#outcome.push('flows while it is paused');
    this.#flow?.();
  }

  flush(): void {
    // Nothing waits to be sent.
  }

  flows(): Promise<void> {
    return new Promise((resolve) => (this.#flow = resolve));
  }
}

function open({ maxPayload = 0, deflate = false }: StreamOptions) {
  const extensions: Record<string, Deflate> = {};
  if (deflate) {
    const extension = new PerMessageDeflate({ isServer: true, maxPayload });
    extension.accept([{}]);
    extensions['permessage-deflate'] = extension;
  }
  const receiver = new WsReceiver({ isServer: true, maxPayload, extensions });
  const outcome: Outcome = [];
  const tell = (name: string, data: Buffer): void => void outcome.push(`${name} ${data.toString('latin1')}`);
  receiver.on('message', (data: Buffer, isBinary: boolean) => {
    tell(isBinary ? 'binary' : 'text', data);
  });
  receiver.on('ping', (data: Buffer) => {
    tell('ping', data);
  });
  receiver.on('pong', (data: Buffer) => {
    tell('pong', data);
  });
  receiver.on('conclude', (code: number, reason: Buffer) => {
    tell(`close ${code}`, reason);
  });
  receiver.on('error', (error: Error & { code: string }) => {
    outcome.push(`error ${error.code}`);
  });
  // Not `once` of node:events, which rejects when there is an 'error'.
  const ended = new Promise<void>((resolve) => receiver.once('close', resolve));
  return { receiver, ended, outcome, clean: () => extensions['permessage-deflate']?.cleanup() };
}
