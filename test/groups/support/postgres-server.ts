import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chown } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { requirement } from '../../support/requirements.js';
import { makePlace, ServerProcess } from '../../support/server-process.js';

const programs = findPrograms();

export const hasPostgres = requirement('postgresql', programs !== undefined);

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
export class PostgresServer extends ServerProcess {
  #frozen: number[] = [];

  static async start(): Promise<PostgresServer> {
    const place = await makePlace('postgres');
    if (user !== undefined) await chown(place.folder, user.uid, user.gid);
    const access = ['--username', 'test', '--auth', 'trust'];
    const args = ['--pgdata', place.folder, ...access, '--encoding', 'UTF8', '--no-sync'];
    execFileSync(join(programs!, 'initdb'), args, { ...user, stdio: 'ignore', cwd: '/' });
    const server = new PostgresServer(place);
    await server.begin();
    return server;
  }

  get url(): string {
    return `postgresql://test@127.0.0.1:${this.port}/postgres`;
  }

  begin(): Promise<void> {
    const settings = {
      port: this.port,
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      fsync: 'off',
      max_connections: 100,
      lc_messages: 'C',
    };
    const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const ready = 'database system is ready to accept connections';
    const options = { ...user, cwd: '/' };
    return this.launch(join(programs!, 'postgres'), ['-D', this.folder, ...args], ready, 'stderr', options);
  }

  /** Ends all its processes at once, as after a crash. */
  override async kill(): Promise<void> {
    const killed = super.kill('SIGQUIT');
    this.thaw();
    await killed;
  }

  /** Lets all its processes run without answering. */
  override freeze(): void {
    const { pid } = this;
    if (pid === undefined) return;
    process.kill(pid, 'SIGSTOP');
    this.#frozen = [pid, ...childrenOf(pid)];
    for (const each of this.#frozen) process.kill(each, 'SIGSTOP');
  }

  override thaw(): void {
    for (const each of this.#frozen.splice(0)) {
      try {
        process.kill(each, 'SIGCONT');
      } catch {
        // It has ended.
      }
    }
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
