/**
 * Fails a test file that leaves something behind: a socket, a server, a timer, a child process, or so many listeners
 * on one emitter that Node warned of a leak. (Rejections that nobody handles fail a run of Vitest anyway, as long as
 * nobody listens for them: so this does not.)
 *
 * Vitest loads it before each test file (`setupFiles` in vitest.config.ts) and gives each file a process of its own,
 * so what is there when the file has ended, and was not there before, belongs to the file.
 */
import { ChildProcess } from 'node:child_process';
import { Server, Socket } from 'node:net';
import { afterAll, vi } from 'vitest';

/** How long what is already ending may take: sockets close some turns of the event loop after the call. */
const PATIENCE = 30_000;

// Taken before any test can put a fake in its place.
const { setTimeout } = globalThis;
const now = performance.now.bind(performance);

const before = countResources();
const faults: string[] = [];

process.on('warning', (warning) => {
  if (warning.name === 'MaxListenersExceededWarning') faults.push(warning.message);
});

// Registered first and therefore run last, after the `afterAll` hooks of the test file.
afterAll(async () => {
  const deadline = now() + PATIENCE;
  let left = listLeftovers();
  while (left.length > 0 && now() < deadline) {
    // Unref'd, so that it is none of them; and with a pause, for what ends may do so in another process.
    await new Promise((resolve) => setTimeout(resolve, 5).unref());
    left = listLeftovers();
  }
  if (vi.isFakeTimers()) faults.push('fake timers: call vi.useRealTimers()');
  const all = [...left, ...faults];
  if (all.length > 0) throw new Error(`this test file leaves behind:\n  ${all.join('\n  ')}`);
});

/** What keeps the process alive and was not there before the test file. */
function listLeftovers(): string[] {
  const left: string[] = [];
  for (const [kind, count] of countResources()) {
    const more = count - (before.get(kind) ?? 0);
    if (more > 0) left.push(`${String(more)} × ${kind}`);
  }
  return left.length === 0 ? left : [...left, ...describeHandles()];
}

function countResources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    // Work that ends by itself: the next turn of the event loop, files being read, names being looked up.
    if (kind === 'Immediate' || kind.startsWith('FSReq') || kind.endsWith('ReqWrap')) continue;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

/** Ports help to find a socket. Node tells them only through a call that it does not document. */
function describeHandles(): string[] {
  const { _getActiveHandles: getHandles } = process as { _getActiveHandles?: () => object[] };
  return (getHandles?.call(process) ?? []).flatMap((handle) => {
    if (handle instanceof Server && handle.listening) return ['a server that listens'];
    if (handle instanceof ChildProcess) return [`a process: ${handle.spawnfile}`];
    if (!(handle instanceof Socket) || handle.localPort === undefined) return [];
    return [`a socket from port ${handle.localPort} to port ${handle.remotePort ?? 'unknown'}`];
  });
}
