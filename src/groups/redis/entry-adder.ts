import { createHash } from 'node:crypto';
import { isMissingScript } from './faults.js';
import type { RedisPort } from './port.js';
import { type AddOptions, makeAddCommand } from './stream-entry.js';

/**
 * Adds entries to streams. It names the script by its hash, because the script is longer than most messages.
 *
 * Redis loses its scripts when it restarts, and by SCRIPT FLUSH. A replica that becomes the master may not have them.
 */
export class EntryAdder {
  readonly #makeCommand: ReturnType<typeof makeAddCommand>;
  #hash: string | undefined;
  /** Whether the server has the script, as far as is known. The nodes of a cluster differ, so it is not used there. */
  #isLoaded = false;

  constructor(options: AddOptions) {
    this.#makeCommand = makeAddCommand(options);
  }

  /** Must be called when the port has connected again, perhaps to another server. */
  reset(): void {
    this.#isLoaded = false;
  }

  /** Rejects with NOSCRIPT if the server has lost the script. The next call sends it again. */
  add(port: RedisPort, key: string, data: Buffer): Promise<unknown> {
    const command = this.#makeCommand(key, data);
    if (port.isCluster) return this.#addToCluster(port, key, command);
    return this.#isLoaded ? this.#addByHash(port, key, command) : this.#addByScript(port, key, command);
  }

  async #addByScript(port: RedisPort, key: string, command: (string | Buffer)[]): Promise<unknown> {
    const reply = await port.command(key, command);
    this.#isLoaded = true;
    return reply;
  }

  async #addByHash(port: RedisPort, key: string, command: (string | Buffer)[]): Promise<unknown> {
    try {
      return await port.command(key, this.#byHash(command));
    } catch (error) {
      // Not repeated here: later messages of the group may be under way, and would then come before this one.
      if (isMissingScript(error)) this.#isLoaded = false;
      throw error;
    }
  }

  /** In a cluster, a group has only one message in flight. So the command may be repeated at once. */
  async #addToCluster(port: RedisPort, key: string, command: (string | Buffer)[]): Promise<unknown> {
    try {
      return await port.command(key, this.#byHash(command));
    } catch (error) {
      if (!isMissingScript(error)) throw error;
      return await port.command(key, command);
    }
  }

  #byHash([, script = '', ...args]: (string | Buffer)[]): (string | Buffer)[] {
    this.#hash ??= createHash('sha1').update(script).digest('hex');
    return ['EVALSHA', this.#hash, ...args];
  }
}
