import { fork } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { START, within } from './inbox.js';
import type { Site } from './serve.js';

/** A server of test/support/programs in a process of its own. */
export interface Program {
  site: Site;
  /** Sends it a message, and gives the one that it sends back. */
  ask<T>(question: unknown): Promise<T>;
  /** Ends the process, by default with SIGKILL; gives what it has printed to stderr. */
  stop(signal?: NodeJS.Signals): Promise<string>;
}

/** Starts one; it tells its port with `process.send`, and ends with the test. */
export async function startProgram(name: string, env: Record<string, string> = {}): Promise<Program> {
  const file = fileURLToPath(new URL(`./programs/${name}.ts`, import.meta.url));
  const child = fork(file, {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, NODE_DEBUG: '', ...env },
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  });
  const printed = text(child.stderr!);
  const exited = once(child, 'exit');
  const stop = async (signal: NodeJS.Signals = 'SIGKILL') => {
    child.kill(signal);
    await exited;
    return printed;
  };
  onTestFinished(async () => {
    await stop();
  });
  const [port] = (await within(once(child, 'message'), `start of ${name}`, START)) as [number];
  const ask = async <T>(question: unknown): Promise<T> => {
    const answer = within(once(child, 'message'), `answer of ${name}`, START);
    child.send(question as object);
    const [message] = (await answer) as [T];
    return message;
  };
  return { site: { port, tls: false } as Site, ask, stop };
}
