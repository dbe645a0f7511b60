import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface FleetOptions {
  readonly processes: number;
  readonly websockets: number;
  readonly groups: number;
  /** The total. Each process sends the same number to each group. */
  readonly messages: number;
  /** Whether to use Redis Streams. */
  readonly stream: boolean;
}

export type ToWorker = 'send' | 'end';
export type FromWorker = { ready: true } | { halfway: true } | { done: true } | { fault: string };

const WORKER = fileURLToPath(new URL('./fleet-worker.ts', import.meta.url));

/**
 * Runs several processes with real websockets over one Redis, or over the socket with this path. Each websocket must receive every message of its group once,
 * and those of each process in order. Calls `inTheMiddle` after half of the messages.
 *
 * @returns The faults: messages that arrived twice, out of order, or not at all.
 */
export async function runFleet(
  options: FleetOptions,
  place: { readonly url: string },
  { inTheMiddle, deadline = 60_000 }: { inTheMiddle?: () => Promise<void>; deadline?: number } = {},
): Promise<string[]> {
  const fleet = Array.from(
    { length: options.processes },
    (_, sender) => new Worker({ ...options, url: place.url, sender }),
  );
  const timer = setTimeout(() => {
    for (const worker of fleet) worker.giveUp(`not done after ${deadline} ms`);
  }, deadline);
  try {
    await Promise.all(fleet.map((worker) => worker.until('ready')));
    for (const worker of fleet) worker.tell('send');
    await fleet[0]!.until('halfway');
    await inTheMiddle?.();
    await Promise.all(fleet.map((worker) => worker.until('done')));
  } finally {
    clearTimeout(timer);
    await Promise.all(fleet.map((worker) => worker.end()));
  }
  // Only now, because each process reports its missing messages at its end.
  return fleet.flatMap(({ faults }) => faults);
}

type Step = 'ready' | 'halfway' | 'done';

class Worker {
  readonly faults: string[] = [];
  readonly #child: ChildProcess;
  readonly #steps = new Set<string>();
  readonly #waiters = new Map<Step, () => void>();

  constructor(options: object) {
    this.#child = spawn(process.execPath, ['--import', 'tsx', WORKER, JSON.stringify(options)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', (message: FromWorker) => {
      if ('fault' in message) this.faults.push(message.fault);
      else for (const step of Object.keys(message)) this.#reach(step as Step);
    });
    this.#child.on('exit', (code, signal) => {
      if (code !== 0) this.giveUp(`a process has ended with ${code ?? signal}`);
    });
  }

  until(step: Step): Promise<void> {
    if (this.#steps.has(step)) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.set(step, resolve));
  }

  tell(message: ToWorker): void {
    this.#child.send(message);
  }

  giveUp(why: string): void {
    this.faults.push(why);
    for (const step of ['ready', 'halfway', 'done'] as const) this.#reach(step);
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 30_000);
    this.tell('end');
    await exit;
    clearTimeout(timer);
  }

  #reach(step: Step): void {
    this.#steps.add(step);
    this.#waiters.get(step)?.();
  }
}
