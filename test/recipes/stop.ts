import type { Express } from 'express';
import { closeWebsockets } from 'dwebsocket';

/**
 * Serves an app until SIGTERM (Docker, systemd) or SIGINT (pm2, Ctrl-C). Then /readyz fails, and the balancer has
 * `notice` milliseconds to stop sending clients. After that, open websockets close with 1001, spread over `over`
 * milliseconds, and the process ends.
 */
export function serveUntilStopped(app: Express, port: number, notice = 5_000, over = 3_000) {
  let isLeaving = false;
  app.get('/healthz', (_req, res) => res.send('alive'));
  app.get('/readyz', (_req, res) => {
    if (isLeaving) res.status(503).send('leaving');
    else res.send('ready');
  });
  const server = app.listen(port);
  const leave = () => {
    if (isLeaving) return;
    isLeaving = true;
    setTimeout(() => {
      void closeWebsockets(server, { over }).then(() => {
        // The channel to pm2, or to another parent process, no longer keeps the process alive.
        server.close(() => process.channel?.unref());
        // Pending requests get as long as websockets do; browsers also keep connections without a request.
        setTimeout(() => server.closeAllConnections(), 5_000).unref();
      });
    }, notice);
  };
  process.once('SIGTERM', leave).once('SIGINT', leave);
  return server;
}
