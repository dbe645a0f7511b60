import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { requirement } from '../../support/requirements.js';
import { makePlace, type Place, ServerProcess } from '../../support/server-process.js';

export const hasRedis = requirement('redis-server', spawnSync('redis-server', ['--version']).status === 0);

/** Starts a Redis for a test, on a free port, with a separate folder for its files. */
export class RedisServer extends ServerProcess {
  readonly #args: readonly string[];

  private constructor(place: Place, args: readonly string[]) {
    super(place);
    this.#args = args;
  }

  static async start(args: readonly string[] = [], port?: number): Promise<RedisServer> {
    const server = new RedisServer(await makePlace('redis', port), args);
    await server.begin();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts or restarts Redis, with optional extra arguments. Resolves when it accepts connections. */
  begin(more: readonly string[] = [], isStarted = 'Ready to accept connections'): Promise<void> {
    const args = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.folder, '--save', ''];
    return this.launch('redis-server', [...args, ...this.#args, ...more], isStarted, 'stdout');
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
}
