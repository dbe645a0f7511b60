import { setTimeout as sleep } from 'node:timers/promises';
import { close, Opcode, text } from '../../../test/support/raw-frames.js';
import { PINGS } from '../app.js';
import { DEADLINE, gets } from '../subject.js';
import { cell, describeClose, isClosed, when, type Row } from './row.js';

export const messageRows: Row[] = [
  {
    name: 'A client sends its first message right behind the handshake, while middleware awaits',
    app: 'guarded',
    wanted: 'the message is echoed',
    play: async (subject) => {
      const client = await subject.knock({ early: text('first') });
      const { status } = await client.response(DEADLINE);
      if (status !== 101) return cell('lost', `the handshake is answered with ${status}`);
      return when(
        await gets(client, 'first'),
        'echoed',
        cell('lost', 'the message never reaches the handler'),
      );
    },
  },
  {
    name: 'A client sends two messages in one packet to a handler that awaits between reads',
    app: 'pull',
    wanted: 'the handler gets both',
    play: async (subject) => {
      const client = await subject.open();
      client.write(Buffer.concat([text('one,'), text('two')]));
      return when(await gets(client, 'one,two'), 'both are read', cell('lost', 'the second is never read'));
    },
  },
  {
    name: 'A client sends a message after a wait of the handler has timed out',
    app: 'patience',
    wanted: 'the next wait gets it',
    play: async (subject) => {
      const client = await subject.open();
      if (!(await gets(client, 'late'))) return cell('hangs', 'the wait does not time out');
      client.write(text('message'));
      return when(
        await gets(client, 'message'),
        'read by the next wait',
        cell('lost', 'the next wait does not get it'),
      );
    },
  },
  {
    name: `A handler sends ${PINGS.toLocaleString('en')} pings to a client that answers none`,
    app: 'pings',
    wanted: 'the process lives, and the client is still served',
    play: async (subject) => {
      const client = await subject.open();
      client.write(text('now'));
      if (!(await gets(client, 'now'))) return cell('lost', 'the client gets no answer');
      return cell('ok', `the client gets ${client.framesOf(Opcode.ping).length} pings and its answer`);
    },
  },
  {
    name: 'A client leaves while the handler awaits a request that has the abort signal of the library',
    app: 'fetches',
    wanted: 'the request ends, and no error handler is called',
    play: async (subject) => {
      const client = await subject.open();
      if (!(await subject.tells('asked'))) return cell('lost', 'the handler does not run');
      client.write(close(1001));
      await isClosed(client);
      client.destroy();
      if (!(await subject.tells('ended'))) return cell('hangs', 'the request goes on');
      const reported = await subject.tells('error', 1_000);
      return when(!reported, 'the request ends quietly', cell('lost', 'an error handler is called'));
    },
  },
  {
    name: 'A handler closes with a reason of 100 × “é”, which is 200 bytes',
    app: 'longReason',
    wanted: 'the process lives, and the client is closed',
    play: async (subject) => {
      const client = await subject.open();
      client.write(text('now'));
      const closed = await isClosed(client);
      return when(closed, `closed with ${describeClose(client)}`, cell('hangs', 'the client is not closed'));
    },
  },
  {
    name: 'A handler answers with `res.json()`, as for plain HTTP',
    app: 'answers',
    wanted: 'the client gets frames only, and a close frame',
    play: async (subject) => {
      const client = await subject.open();
      const closed = await isClosed(client);
      // HTTP text is read as a frame that is not whole yet.
      await sleep(100);
      const seen = describeClose(client);
      if (client.framesOf(Opcode.close).length > 0 && !seen.startsWith('HTTP'))
        return cell('ok', `closed with ${seen}`);
      return closed ? cell('lost', `the client gets ${seen}`) : cell('hangs', `the client gets ${seen}`);
    },
  },
];
