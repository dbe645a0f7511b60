import type { Profiler, Session } from 'node:inspector/promises';

/** Microseconds between two samples. */
const INTERVAL = 200;

/** The share of the CPU time of a process that each kind of work took, without the time in which it had nothing to do. */
export type Shares = Record<Kind, number>;

export type Kind = (typeof KINDS)[number];

export const KINDS = [
  'writes to the socket (kernel)',
  "other native code: reads, Node's and V8's own",
  "Node's JavaScript: http, net, streams, events",
  'dwebsocket',
  'ws',
  'Express, or the client of Redis',
  'the handler',
  'garbage collection',
] as const;

const OTHERS = 'Express, or the client of Redis';
const WRITES = new Set(['writeLatin1String', 'writeUtf8String', 'writeBuffer', 'writev']);

let session: Session | undefined;

/** Begins to sample what this process does. */
export async function startProfile(): Promise<void> {
  // Bun, which runs one of the servers, has no such module.
  const inspector = await import('node:inspector/promises');
  session = new inspector.Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: INTERVAL });
  await session.post('Profiler.start');
}

export async function stopProfile(): Promise<Shares> {
  if (session === undefined) throw new Error('no profile was started');
  const { profile } = await session.post('Profiler.stop');
  session.disconnect();
  return sharesOf(profile);
}

function sharesOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): Shares {
  const kinds = new Map(nodes.map(({ id, callFrame }) => [id, kindOf(callFrame)]));
  const times = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Shares;
  let busy = 0;
  for (const [index, id] of samples.entries()) {
    const kind = kinds.get(id);
    if (kind === undefined) continue;
    const time = timeDeltas[index] as number;
    times[kind] += time;
    busy += time;
  }
  return Object.fromEntries(KINDS.map((kind) => [kind, times[kind] / busy])) as Shares;
}

/** Returns `undefined` for the time in which the process waits. */
function kindOf({ functionName, url }: Profiler.Profile['nodes'][number]['callFrame']): Kind | undefined {
  if (functionName === '(idle)') return undefined;
  if (functionName === '(garbage collector)') return 'garbage collection';
  if (WRITES.has(functionName)) return 'writes to the socket (kernel)';
  if (url.startsWith('node:')) return "Node's JavaScript: http, net, streams, events";
  if (url.includes('/candidates/')) return 'the handler';
  if (url.includes('/node_modules/ws/')) return 'ws';
  if (url.startsWith('wasm:') || /\/dist\/(?!candidates)/.test(url)) {
    return url.includes('/node_modules/') ? OTHERS : 'dwebsocket';
  }
  return url === '' ? "other native code: reads, Node's and V8's own" : OTHERS;
}
