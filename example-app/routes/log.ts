import { spawn } from 'node:child_process';
import { acceptWebsocket } from 'dwebsocket';
import { logFile } from '../access-log.js';
import { sendPage } from '../send-page.js';

/** Sends the output of `tail -f`. `signal` ends the child process when the browser leaves. */
export const log = acceptWebsocket(async (req, res) => {
  if (!req.isWebsocket()) return sendPage(res, 'log');

  const { websocket } = req;
  const tail = spawn('tail', ['-n', '10', '-f', logFile], { signal: websocket.signal });
  // Either the system has no `tail`, or the signal has ended it after the websocket closed.
  tail.on('error', (error) => void websocket.close(1011, error.message));
  // Awaiting `send` applies backpressure: a slow browser slows `tail` down, and memory does not grow.
  for await (const lines of tail.stdout.setEncoding('utf8')) await websocket.send(lines as string);
});
