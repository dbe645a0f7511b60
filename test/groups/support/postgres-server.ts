import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { requirement } from '../../support/requirements.js';
import { findFreePort } from './redis-server.js';

const folder = findPrograms();

export const hasPostgres = requirement('postgresql', folder !== undefined);

/** PostgreSQL refuses to run as root, so it runs as the user that its package has made. */
const user = userInfo().uid === 0 && hasPostgres ? findUser('postgres') : undefined;

function findPrograms(): string | undefined {
  const folders = [
    ...(process.env.PATH ?? '').split(':'),
    ...[18, 17, 16, 15, 14, 13].map((version) => `/usr/lib/postgresql/${version}/bin`),
  ];
  return folders.find((each) => existsSync(join(each, 'initdb')) && existsSync(join(each, 'postgres')));
}

function findUser(name: string): { uid: number; gid: number } {
  const id = (option: string) => Number(execFileSync('id', [option, name], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

/** Starts a PostgreSQL for a test, on a free port, with a separate folder for its files. */
export class PostgresServer {
  readonly port: number;
  readonly #data: string;
  #process: ChildProcess | undefined;
  #frozen: number[] = [];

  private constructor(port: number, data: string) {
    this.port = port;
    this.#data = data;
  }

  static async start(): Promise<PostgresServer> {
    const data = await mkdtemp(join(tmpdir(), 'dwebsocket-postgres-'));
    if (user !== undefined) await chown(data, user.uid, user.gid);
    const args = [
      '--pgdata',
      data,
      '--username',
      'test',
      '--auth',
      'trust',
      '--encoding',
      'UTF8',
      '--no-sync',
    ];
    execFileSync(join(folder!, 'initdb'), args, { ...user, stdio: 'ignore', cwd: '/' });
    const server = new PostgresServer(await findFreePort(), data);
    await server.begin();
    return server;
  }

  get url(): string {
    return `postgresql://test@127.0.0.1:${this.port}/postgres`;
  }

  /** Starts or restarts the server. Resolves when it accepts connections. */
  async begin(): Promise<void> {
    const settings = {
      port: this.port,
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      fsync: 'off',
      max_connections: 100,
      lc_messages: 'C',
    };
    const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const child = spawn(join(folder!, 'postgres'), ['-D', this.#data, ...args], {
      ...user,
      stdio: ['ignore', 'ignore', 'pipe'],
      cwd: '/',
    });
    this.#process = child;
    const lines: string[] = [];
    for await (const line of createInterface(child.stderr)) {
      lines.push(line);
      if (line.includes('database system is ready to accept connections')) {
        child.stderr.resume();
        return;
      }
    }
    throw new Error(`postgres did not start:\n${lines.join('\n')}`);
  }

  /** Ends all its processes at once, as after a crash. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    this.#process = undefined;
    const exit = once(child, 'exit');
    child.kill('SIGQUIT');
    this.thaw();
    await exit;
  }

  /** Lets all its processes run without answering. */
  freeze(): void {
    const pid = this.#process?.pid;
    if (pid === undefined) return;
    process.kill(pid, 'SIGSTOP');
    this.#frozen = [pid, ...childrenOf(pid)];
    for (const each of this.#frozen) process.kill(each, 'SIGSTOP');
  }

  thaw(): void {
    for (const each of this.#frozen.splice(0)) {
      try {
        process.kill(each, 'SIGCONT');
      } catch {
        // It has ended.
      }
    }
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#data, { recursive: true, force: true });
  }
}

/** The parent is the fourth field of a process in /proc; the second one, its name, may contain spaces. */
function childrenOf(pid: number): number[] {
  const parentOf = (each: string): number => {
    try {
      return Number(
        readFileSync(`/proc/${each}/stat`, 'utf8')
          .replace(/^.*\) /s, '')
          .split(' ')[1],
      );
    } catch {
      return 0;
    }
  };
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return all.filter((each) => parentOf(each) === pid).map(Number);
}
