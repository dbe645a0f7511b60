import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { Inbox, within } from '../support/inbox.js';
import type { Site } from '../support/serve.js';

const APP = fileURLToPath(new URL('./app.ts', import.meta.url));

/** The app of this folder in a process of its own. */
export class Child {
  /** What it has printed. */
  readonly lines: Inbox<string>;
  /** `[0, null]` for a process that has ended by itself. */
  readonly exit: Promise<unknown[]>;
  readonly #process: ChildProcess;
  readonly site: Site;

  constructor(child: ChildProcess, port: number, lines: Inbox<string>) {
    this.#process = child;
    this.lines = lines;
    // What is known of a server in another process.
    this.site = { port, tls: false } as Site;
    this.exit = once(child, 'exit');
  }

  /** Asks it to close its server. */
  stop(): void {
    this.#process.kill('SIGTERM');
  }

  /** All it has printed, when it has ended. */
  async ended(deadline: number): Promise<{ exit: unknown[]; lines: string[] }> {
    const exit = await within(this.exit, 'end of the process', deadline);
    return { exit, lines: this.lines.rest() };
  }
}

export async function startChild(env: Record<string, string> = {}): Promise<Child> {
  const spawned = spawn(process.execPath, ['--import', 'tsx', APP], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    if (spawned.exitCode !== null || spawned.signalCode !== null) return;
    spawned.kill('SIGKILL');
    await once(spawned, 'exit');
  });
  const lines = new Inbox<string>();
  const stdout = createInterface(spawned.stdout);
  const first = once(stdout, 'line');
  stdout.on('line', (line) => {
    lines.push(line);
  });
  // On a busy machine a process takes seconds to begin.
  await within(first, 'start of the app', 25_000);
  const [, port] = (await lines.next('port')).split(' ');
  return new Child(spawned, Number(port), lines);
}
