/** One library serves one app, in a process that may die of it: `child.ts CANDIDATE APP`. */
import type { AddressInfo } from 'node:net';
import type { App, AppName, Apps } from './app.js';

export type FromChild = { port: number } | 'error reported' | 'stopped';
export type ToChild = 'stop';

const tell = (message: FromChild) => process.send?.(message);

const [candidate, name] = process.argv.slice(2);
const { apps } = (await import(`./candidates/${String(candidate)}.ts`)) as { apps: Apps };
const { server, stop } = await (apps[name as AppName] as App)(() => tell('error reported'));

process.on('message', () => {
  void stop().then(() => tell('stopped'));
});
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => tell({ port: (server.address() as AddressInfo).port }));
