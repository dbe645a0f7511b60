import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import morgan from 'morgan';

const folder = mkdtempSync(join(tmpdir(), 'dwebsocket-example-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

/** The access log of this process, which /log/ shows. */
export const logFile = join(folder, 'access.log');

/** Morgan, as in any Express app. It also logs a websocket, with 101, after it has ended. */
export const accessLog = morgan('tiny', {
  stream: { write: append },
});

/** Appends a line. If that fails, the server prints the error and continues. */
function append(line: string): void {
  try {
    appendFileSync(logFile, line);
  } catch (error) {
    console.error(`The access log cannot be written: ${String(error)}`);
  }
}

appendFileSync(logFile, 'The example app has started\n');
