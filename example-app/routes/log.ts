import { spawn } from 'node:child_process';
import { acceptWebsocket } from 'dwebsocket';
import { logFile } from '../access-log.js';
import { sendPage } from '../send-page.js';

/** Live log: what `tail -f` prints. `signal` ends the child when the browser leaves. */
export const log = acceptWebsocket(async (req, res) => {
  if (!req.isWebsocket()) return sendPage(res, 'log');

  const { websocket } = req;
  const tail = spawn('tail', ['-n', '10', '-f', logFile], { signal: websocket.signal });
  // There is no tail here; or the signal has ended it, and then the websocket has closed already.
  tail.on('error', (error) => void websocket.close(1011, error.message));
  // A browser that is slower than the log slows down tail, and no memory fills up.
  for await (const lines of tail.stdout.setEncoding('utf8')) await websocket.send(lines as string);
});
