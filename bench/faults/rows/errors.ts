import { text } from '../../../test/support/raw-frames.js';
import type { Subject } from '../subject.js';
import { cell, closeCode, describeClose, isClosed, type Row } from './row.js';

export const errorRows: Row[] = [
  {
    name: 'A handler throws (async, after a message)',
    app: 'throws',
    wanted: 'the client is closed with 1011, and the error reaches the error handler of the app',
    play: async (subject) => {
      const client = await subject.open();
      client.write(text('now'));
      const closed = await isClosed(client);
      const reported = await reportOf(subject);
      if (!closed) return cell('hangs', `the client is not closed, the error is ${reported}`);
      const seen = `closed with ${describeClose(client)}, the error is ${reported}`;
      return cell(reported === 'reported' && closeCode(client) === 1011 ? 'ok' : 'lost', seen);
    },
  },
  {
    name: 'A handler throws; the error handler of the app sends a page later',
    app: 'lateErrorPage',
    wanted: 'the process lives, and the client is closed by a close frame',
    play: async (subject) => {
      const client = await subject.open();
      const closed = await isClosed(client);
      const reported = await reportOf(subject);
      const seen = `the error is ${reported}, the client sees ${describeClose(client)}`;
      if (!closed) return cell('hangs', seen);
      const code = closeCode(client);
      const hasCloseFrame = code !== undefined && code !== 1006 && !describeClose(client).startsWith('HTTP');
      return cell(hasCloseFrame && reported === 'reported' ? 'ok' : 'lost', seen);
    },
  },
  {
    name: 'A handler in a router throws; the app has an access log',
    app: 'accessLog',
    wanted: 'the error handler is called first, and then the log gets its line',
    play: async (subject) => {
      const client = await subject.open();
      await isClosed(client);
      await subject.tells('log');
      await subject.tells('error', 1_000);
      const seen = subject.told.filter((what) => what === 'error' || what === 'log').join(', then ');
      return cell(seen === 'error, then log' ? 'ok' : 'lost', seen === '' ? 'neither' : seen);
    },
  },
];

async function reportOf(subject: Subject): Promise<'reported' | 'not reported'> {
  return (await subject.tells('error', 1_000)) ? 'reported' : 'not reported';
}
