/** Serves one app of one library, in a process that may die of it: `child.ts CANDIDATE APP`. */
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { App, AppName, Apps } from './app.js';

export type FromChild = { port: number } | { told: string } | { memory: Memory } | 'stopped';
export type ToChild = 'stop' | 'closeAllConnections' | 'memory';

/** Resident memory of the process, in bytes. */
export interface Memory {
  now: number;
  peak: number;
}

const send = (message: FromChild) => process.send?.(message);

const [candidate, name] = process.argv.slice(2);
const { apps } = (await import(`./candidates/${String(candidate)}.ts`)) as { apps: Apps };
const { server, stop } = await (apps[name as AppName] as App)((told) => send({ told }));

process.on('message', (message: ToChild) => {
  if (message === 'stop') void stop().then(() => send('stopped'));
  else if (message === 'closeAllConnections') server.closeAllConnections();
  else send({ memory: { now: process.memoryUsage.rss(), peak: peakMemory() } });
});
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => send({ port: (server.address() as AddressInfo).port }));

/** On Linux `maxRSS` begins with the memory of the parent process, which would count here, too. */
function peakMemory(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  const [, kibibytes] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return Number(kibibytes) * 1024;
}
