/** The child process with the server under test: serves one part of one candidate, and reports its CPU and memory. */
import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import { answer } from './ipc.js';
import { startProfile, stopProfile } from './profile.js';

type Candidate = Record<string, (argument: unknown) => Server | Promise<Server>>;

export interface Usage {
  /** Milliseconds on the clock of this process. */
  time: number;
  /** Milliseconds of CPU, user and system, of all threads. */
  cpu: number;
  heap: number;
  rss: number;
  /** Bytes of buffers outside of the heap. */
  external: number;
}

let highest: Usage | undefined;
let server: Server | undefined;

const answers = {
  async start(what: { candidate: string; part: string; argument: unknown }): Promise<number> {
    const candidate = (await import(`./candidates/${what.candidate}.js`)) as Candidate;
    const serve = candidate[what.part];
    if (serve === undefined) throw new Error(`${what.candidate} has no part "${what.part}"`);
    server = await serve(what.argument);
    if (!server.listening) await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  },

  usage,

  /** Returns the number of open connections. */
  connections: (): Promise<number> =>
    new Promise((resolve, reject) => {
      if (server === undefined) throw new Error('no server is running; start one first');
      server.getConnections((error, count) => {
        if (error === null) resolve(count);
        else reject(error);
      });
    }),

  /** Returns the usage after a garbage collection; needs --expose-gc. */
  async settled(): Promise<Usage> {
    // Weak references and finalizers are released only in later turns of the event loop.
    for (let turn = 0; turn < 5; turn++) {
      globalThis.gc?.();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return usage();
  },

  /** Records the highest memory from now on. */
  watchMemory(): void {
    highest = usage();
    setInterval(() => {
      const now = usage();
      highest = {
        ...now,
        heap: Math.max(now.heap, highest?.heap ?? 0),
        rss: Math.max(now.rss, highest?.rss ?? 0),
        external: Math.max(now.external, highest?.external ?? 0),
      };
    }, 50);
  },

  highestMemory: (): Usage | undefined => highest,

  startProfile,
  stopProfile,
};

export type ServerAnswers = typeof answers;

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  const { heapUsed, rss, external } = process.memoryUsage();
  return { time: performance.now(), cpu: (user + system) / 1000, heap: heapUsed, rss, external };
}

answer(answers);
