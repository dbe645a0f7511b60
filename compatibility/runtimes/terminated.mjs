// Two threads with a server each. SIGUSR2 terminates the first of them.
import { isMainThread, Worker } from 'node:worker_threads';

if (isMainThread) {
  const [first] = [1, 2].map(() => new Worker(new URL(import.meta.url)));
  process.once('SIGUSR2', async () => {
    await first.terminate();
    console.log('terminated');
  });
} else {
  const { requireWebsocket } = await import('dwebsocket');
  const { default: express } = await import('express');
  const app = express();
  app.get(
    '/echo',
    requireWebsocket(async ({ websocket }) => {
      for await (const message of websocket) websocket.send(message);
    }),
  );
  const server = app.listen(0, '127.0.0.1', () => {
    console.log(`http://localhost:${server.address().port}`);
  });
}
