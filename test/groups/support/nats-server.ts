import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { requirement } from '../../support/requirements.js';
import { findFreePort } from './redis-server.js';

// Debian puts it into a folder that is not in everybody's PATH.
const PATH = `${process.env.PATH ?? ''}:/usr/sbin`;

export const hasNats = requirement(
  'nats-server',
  spawnSync('nats-server', ['--version'], { env: { ...process.env, PATH } }).status === 0,
);

/** Starts a NATS server for a test, on a free port. */
export class NatsServer {
  readonly port: number;
  readonly #folder: string;
  #process: ChildProcess | undefined;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.#folder = folder;
  }

  /** @param config More lines for the configuration file. */
  static async start(config = ''): Promise<NatsServer> {
    const folder = await mkdtemp(join(tmpdir(), 'dwebsocket-nats-'));
    const server = new NatsServer(await findFreePort(), folder);
    await writeFile(server.#file, `listen: "127.0.0.1:${server.port}"\n${config}\n`);
    await server.begin();
    return server;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  get #file(): string {
    return join(this.#folder, 'nats.conf');
  }

  /** Starts or restarts the server. Resolves when it accepts connections. */
  async begin(): Promise<void> {
    const child = spawn('nats-server', ['-c', this.#file], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, PATH },
    });
    this.#process = child;
    const lines: string[] = [];
    for await (const line of createInterface(child.stderr)) {
      lines.push(line);
      if (line.includes('Server is ready')) {
        child.stderr.resume();
        return;
      }
    }
    throw new Error(`nats-server did not start:\n${lines.join('\n')}`);
  }

  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    this.#process = undefined;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  /** Lets the server run without answering. */
  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
