import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { requirement } from '../../support/requirements.js';
import { makePlace, ServerProcess } from '../../support/server-process.js';

// Debian puts it into a folder that is not in everybody's PATH.
const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin` };

export const hasNats = requirement(
  'nats-server',
  spawnSync('nats-server', ['--version'], { env }).status === 0,
);

/** Starts a NATS server for a test, on a free port. */
export class NatsServer extends ServerProcess {
  /** @param config More lines for the configuration file. */
  static async start(config = ''): Promise<NatsServer> {
    const server = new NatsServer(await makePlace('nats'));
    await writeFile(server.#file, `listen: "127.0.0.1:${server.port}"\n${config}\n`);
    await server.begin();
    return server;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  get #file(): string {
    return join(this.folder, 'nats.conf');
  }

  begin(): Promise<void> {
    return this.launch('nats-server', ['-c', this.#file], 'Server is ready', 'stderr', { env });
  }
}
