import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { findFreePort } from './free-port.js';

/** Where a server runs. */
export interface Place {
  readonly port: number;
  /** The folder for its files. */
  readonly folder: string;
}

/** Finds a free port, and makes a folder. */
export async function makePlace(name: string, port?: number): Promise<Place> {
  return {
    port: port ?? (await findFreePort()),
    folder: await mkdtemp(join(tmpdir(), `dwebsocket-${name}-`)),
  };
}

/** A server that a test starts, kills, freezes and restarts, in a process of its own. */
export abstract class ServerProcess {
  readonly port: number;
  protected readonly folder: string;
  #child: ChildProcess | undefined;

  protected constructor({ port, folder }: Place) {
    this.port = port;
    this.folder = folder;
  }

  abstract get url(): string;

  /** Starts or restarts the server. Resolves when it accepts connections. */
  abstract begin(): Promise<void>;

  /**
   * Starts the program. Resolves when it logs a line that includes `ready`.
   *
   * @param log Where it logs.
   */
  protected async launch(
    program: string,
    args: readonly string[],
    ready: string,
    log: 'stdout' | 'stderr',
    options: SpawnOptions = {},
  ): Promise<void> {
    const stdout = log === 'stdout' ? 'pipe' : 'ignore';
    const stderr = log === 'stderr' ? 'pipe' : 'inherit';
    this.#child = spawn(program, args, { ...options, stdio: ['ignore', stdout, stderr] });
    const output = this.#child[log] as Readable;
    const lines: string[] = [];
    for await (const line of createInterface(output)) {
      lines.push(line);
      if (line.includes(ready)) {
        output.resume();
        return;
      }
    }
    throw new Error(`${program} did not start:\n${lines.join('\n')}`);
  }

  protected get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Ends the server at once, as the kernel does when memory runs out. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }

  /** Lets the server run without answering. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Ends the server, and deletes its files. */
  async stop(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }
}
