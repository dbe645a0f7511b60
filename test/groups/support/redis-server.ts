import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { requirement } from '../../support/requirements.js';

export const hasRedis = requirement('redis-server', spawnSync('redis-server', ['--version']).status === 0);

export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts a Redis for a test, on a free port, with a separate folder for its files. */
export class RedisServer {
  readonly port: number;
  readonly #folder: string;
  readonly #args: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(port: number, folder: string, args: readonly string[]) {
    this.port = port;
    this.#folder = folder;
    this.#args = args;
  }

  static async start(args: readonly string[] = [], port?: number): Promise<RedisServer> {
    const folder = await mkdtemp(join(tmpdir(), 'dwebsocket-redis-'));
    const server = new RedisServer(port ?? (await findFreePort()), folder, args);
    await server.begin();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts or restarts Redis, with optional extra arguments. Resolves when it accepts connections. */
  async begin(more: readonly string[] = [], isStarted = 'Ready to accept connections'): Promise<void> {
    const args = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder, '--save', ''];
    const all = [...args, ...this.#args, ...more];
    const child = spawn('redis-server', all, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#process = child;
    const lines: string[] = [];
    for await (const line of createInterface(child.stdout)) {
      lines.push(line);
      if (line.includes(isStarted)) {
        child.stdout.resume();
        return;
      }
    }
    throw new Error(`redis-server did not start:\n${lines.join('\n')}`);
  }

  /** Sends SIGKILL, as the kernel does when memory runs out. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    this.#process = undefined;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  /** Sends SIGSTOP: Redis still runs but does not answer. */
  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  /** Runs a command with redis-cli. */
  cli(...args: string[]): string {
    const { stdout, stderr } = spawnSync('redis-cli', ['-p', String(this.port), ...args], {
      encoding: 'utf8',
    });
    return (stdout + stderr).trim();
  }

  /** Runs a command without blocking this process. */
  async run(...args: string[]): Promise<void> {
    const child = spawn('redis-cli', ['-p', String(this.port), ...args], { stdio: 'ignore' });
    await once(child, 'exit');
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
