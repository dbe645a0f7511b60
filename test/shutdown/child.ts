import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { onTestFinished } from 'vitest';
import { Inbox, START, within } from '../support/inbox.js';
import type { Site } from '../support/serve.js';

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** An app in a process of its own. */
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
    // Not 'exit', which may come before the last that it has printed.
    this.exit = once(child, 'close');
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

/** The app of this folder. */
export function startChild(env: Record<string, string> = {}): Promise<Child> {
  return start([path('./app.ts')], env);
}

/** The example app, which says at its end what `send()` has answered. */
export function startExampleApp(): Promise<Child> {
  const counter = pathToFileURL(path('./count-sends.ts')).href;
  return start(['--import', counter, path('../../example-app/server.ts')], {});
}

async function start(args: string[], env: Record<string, string>): Promise<Child> {
  const spawned = spawn(process.execPath, ['--import', 'tsx', ...args], {
    env: { ...process.env, PORT: '0', ...env },
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
  await within(first, 'start of the app', START);
  const [, port] = /(?:port |localhost:)(\d+)/.exec(await lines.next('port')) ?? [];
  return new Child(spawned, Number(port), lines);
}
