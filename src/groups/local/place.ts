import {
  chmodSync,
  closeSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { once } from 'node:events';
import type { Server } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { hasPipes, type LocalSettings } from './options.js';

/** Milliseconds after which a lock is left over from a process that was killed. A process holds it for about one. */
const LOCK_AGE = 2_000;

/**
 * The place where the processes of an app meet: a Unix socket, or a pipe on Windows.
 *
 * The file of a socket stays when its process is killed. So another process must replace it, and only one may. A process
 * says which file it has found useless. It replaces the file only if it is still that one, under a lock.
 */
export class Place {
  readonly path: string;
  readonly #isDefault: boolean;

  constructor({ path, isDefault }: Pick<LocalSettings, 'path' | 'isDefault'>) {
    this.path = path;
    this.#isDefault = isDefault;
  }

  /**
   * Returns the identity of the socket file; `undefined` if there is none.
   *
   * @throws {Error} The file is not a socket of our user. We must not use or replace it.
   */
  identify(): string | undefined {
    if (hasPipes) return undefined;
    const stats = lstatSync(this.path, { bigint: true, throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    if (!stats.isSocket())
      throw new Error(`${this.path} is not a socket; remove the file, or choose another path`);
    const uid = process.geteuid?.();
    if (uid !== undefined && stats.uid !== BigInt(uid))
      throw new Error(`${this.path} belongs to another user; run all processes of the app as one user`);
    // A file system gives the number of a deleted file to the next one.
    return `${stats.dev}:${stats.ino}:${stats.mtimeNs}`;
  }

  /**
   * Lets a server listen here. Resolves with its identity, or with `undefined` if another process was faster.
   *
   * @param useless The identity of the file to replace, or `undefined` if there was none.
   */
  async occupy(
    server: Server,
    useless: string | undefined,
  ): Promise<{ identity: string | undefined } | undefined> {
    if (hasPipes) {
      server.listen({ path: this.path, exclusive: true });
      return (await isListening(server)) ? { identity: undefined } : undefined;
    }
    this.#prepareFolder();
    const unlock = this.#lock();
    if (unlock === undefined) return undefined;
    try {
      if (this.identify() !== useless) return undefined;
      // In a private folder first, so that nobody can connect before the file has its permissions.
      const folder = mkdtempSync(`${this.path}.`);
      try {
        const file = join(folder, 's');
        // Without `exclusive`, all workers of node:cluster would share one socket of the primary process.
        server.listen({ path: file, exclusive: true });
        if (!server.listening) await isListening(server);
        chmodSync(file, 0o600);
        renameSync(file, this.path);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
      return { identity: this.identify() };
    } finally {
      unlock();
    }
  }

  /** Removes the socket file, if it is still this one. */
  leave(identity: string | undefined): void {
    if (hasPipes) return;
    let unlock: (() => void) | undefined;
    try {
      unlock = this.#lock();
      if (identity !== undefined && this.identify() === identity) unlinkSync(this.path);
    } catch {
      // The next hub replaces the file.
    } finally {
      unlock?.();
    }
  }

  /** Creates the folder of the default path, for our user only. */
  #prepareFolder(): void {
    if (!this.#isDefault) return;
    const folder = dirname(this.path);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const stats = lstatSync(folder);
    // Anybody can create a folder of this name in a shared folder for temporary files.
    if (!stats.isDirectory() || stats.uid !== process.geteuid?.() || (stats.mode & 0o077) !== 0)
      throw new Error(
        `${folder} must be a folder that only our user can enter; remove it, or set the option path`,
      );
  }

  /** Returns a function that removes the lock, or `undefined` if another process has it. */
  #lock(): (() => void) | undefined {
    const lock = `${this.path}.lock`;
    try {
      closeSync(openSync(lock, 'wx', 0o600));
      return () => rmSync(lock, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const since = statSync(lock, { throwIfNoEntry: false })?.mtimeMs;
    if (since !== undefined && Math.abs(Date.now() - since) > LOCK_AGE) this.#removeRemains(lock);
    return undefined;
  }

  /** Removes what a process has left that was killed while it held the lock. */
  #removeRemains(lock: string): void {
    const folder = dirname(this.path);
    const start = `${basename(this.path)}.`;
    for (const name of readdirSync(folder)) {
      if (name.startsWith(start) && /^\w{6}$/.test(name.slice(start.length)))
        rmSync(join(folder, name), { recursive: true, force: true });
    }
    rmSync(lock, { force: true });
  }
}

/** Resolves with whether the server listens. Rejects if it cannot, except when another process has the place. */
async function isListening(server: Server): Promise<boolean> {
  try {
    if (!server.listening) await once(server, 'listening');
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
}
