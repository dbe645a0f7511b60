import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startProgram, type Program } from '../../support/program.js';
import type { Agent } from './agents.js';
import { startCollector, type Sent } from './collector.js';
import { node22 } from './node.js';
import type { Report } from './report.js';

const folder = dirname(dirname(fileURLToPath(import.meta.url)));

export interface Watched<T> {
  /** What `use` has returned. */
  readonly result: T;
  readonly report: Report;
  readonly sent: readonly Sent[];
}

/**
 * Runs an app with an agent and a collector, and lets `use` talk to the app and end it. Then reads what the agent has sent. `use` also gets
 * what has been sent until now.
 */
export async function watchApp<T>(
  agent: Agent,
  use: (app: Program, sent: readonly Sent[]) => Promise<T>,
  env: Record<string, string> = {},
  file = 'app.cjs',
): Promise<Watched<T>> {
  const { tls = false } = agent;
  const collector = await startCollector(agent.answer, { tls });
  try {
    const command = [node22(), '--expose-gc', '--import', `./agents/${agent.file}`, file];
    const app = await startProgram(command, { cwd: folder, env: { ...agent.env(collector), ...env } });
    try {
      const result = await use(app, collector.sent);
      return { result, report: agent.read(collector.sent), sent: collector.sent };
    } finally {
      await app.kill();
    }
  } finally {
    await collector.close();
  }
}
