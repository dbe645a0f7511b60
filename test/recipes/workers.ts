import cluster from 'node:cluster';
import { availableParallelism } from 'node:os';

/** Runs `serve` in a process for each core; SIGTERM or SIGINT stops them all. Nothing has to be sticky. */
export function serveOnAllCores(
  serve: () => { close(done: () => void): unknown },
  count = availableParallelism(),
) {
  let isStopping = false;
  const onStop = (stop: () => void) => {
    // Ctrl-C reaches the workers, too, before the primary has sent its SIGTERM.
    const stopOnce = () => {
      if (!isStopping) stop();
      isStopping = true;
    };
    process.once('SIGTERM', stopOnce).once('SIGINT', stopOnce);
  };

  if (!cluster.isPrimary) {
    const server = serve();
    // What is left then is the channel to the primary, which would keep the process.
    onStop(() => server.close(() => cluster.worker?.disconnect()));
    return;
  }
  for (let i = 0; i < count; i++) cluster.fork();
  cluster.on('exit', () => {
    if (!isStopping) cluster.fork();
  });
  onStop(() => {
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGTERM');
  });
}
