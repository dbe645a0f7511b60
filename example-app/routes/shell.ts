import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { acceptWebsocket, type Websocket } from 'dwebsocket';
import { sendPage } from '../send-page.js';

// The program is fixed. Never start a program that the browser names.
const program = fileURLToPath(new URL('../programs/little-shell.mjs', import.meta.url));

/** Connects the browser to a program, with two loops at once. The websocket closes when the first loop ends. */
export const shell = acceptWebsocket(async (req, res) => {
  if (!req.isWebsocket()) return sendPage(res, 'shell');

  const child = spawn(process.execPath, [program], { signal: req.websocket.signal });
  // These errors mean that the browser has left: the signal ended the program, or the program no longer reads.
  for (const part of [child, child.stdin]) part.on('error', () => {});
  await Promise.race([type(req.websocket, child.stdin), show(child.stdout, req.websocket)]);
});

async function type(websocket: Websocket, keyboard: NodeJS.WritableStream) {
  for await (const line of websocket) keyboard.write(`${line.toString()}\n`);
}

async function show(screen: NodeJS.ReadableStream, websocket: Websocket) {
  for await (const text of screen.setEncoding('utf8')) await websocket.send(text);
}
