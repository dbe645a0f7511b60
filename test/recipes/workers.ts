import cluster from 'node:cluster';
import { availableParallelism } from 'node:os';

/** Runs `serve` in one process for each core; SIGTERM or SIGINT stops them all. Needs no sticky sessions. */
export function serveOnAllCores(
  serve: () => { close(done: () => void): unknown },
  count = availableParallelism(),
) {
  let isStopping = false;
  const onStop = (stop: () => void) => {
    // Ctrl-C also reaches the workers, before the SIGTERM of the primary process.
    const stopOnce = () => {
      if (!isStopping) stop();
      isStopping = true;
    };
    process.once('SIGTERM', stopOnce).once('SIGINT', stopOnce);
  };

  if (!cluster.isPrimary) {
    const server = serve();
    // The open channel to the primary process would keep this process alive.
    onStop(() => server.close(() => cluster.worker?.disconnect()));
    return;
  }
  const fork = () => {
    if (!isStopping) cluster.fork();
  };
  for (let i = 0; i < count; i++) fork();
  cluster.on('exit', () => {
    // The pause is for workers that fail as soon as they start, for instance because the port is in use.
    if (!isStopping) setTimeout(fork, 1_000);
  });
  onStop(() => {
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGTERM');
  });
}
