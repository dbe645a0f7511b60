import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { acceptWebsocket, type Websocket } from 'dwebsocket';
import { sendPage } from '../send-page.js';

// A fixed program. Never start one that the browser has named.
const program = fileURLToPath(new URL('../programs/little-shell.mjs', import.meta.url));

/** Two-way bridge to a program: two loops at once, and over when the first of them is. */
export const shell = acceptWebsocket(async (req, res) => {
  if (!req.isWebsocket()) return sendPage(res, 'shell');

  const child = spawn(process.execPath, [program], { signal: req.websocket.signal });
  // The browser has left and the signal has ended the program, or it is leaving and does not read any more.
  for (const part of [child, child.stdin]) part.on('error', () => {});
  await Promise.race([type(req.websocket, child.stdin), show(child.stdout, req.websocket)]);
});

async function type(websocket: Websocket, keyboard: NodeJS.WritableStream) {
  for await (const line of websocket) keyboard.write(`${line.toString()}\n`);
}

async function show(screen: NodeJS.ReadableStream, websocket: Websocket) {
  for await (const text of screen.setEncoding('utf8')) await websocket.send(text);
}
