import cluster from 'node:cluster';
import { availableParallelism } from 'node:os';

/** Runs `serve` in a process for each core; SIGTERM stops them all. Nothing has to be sticky. */
export function serveOnAllCores(
  serve: () => { close(done: () => void): unknown },
  count = availableParallelism(),
) {
  if (!cluster.isPrimary) {
    const server = serve();
    process.once('SIGTERM', () => {
      // What is left then is the channel to the primary, which would keep the process.
      server.close(() => process.disconnect());
    });
    return;
  }
  let isStopping = false;
  for (let i = 0; i < count; i++) cluster.fork();
  cluster.on('exit', () => {
    if (!isStopping) cluster.fork();
  });
  process.once('SIGTERM', () => {
    isStopping = true;
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGTERM');
  });
}
