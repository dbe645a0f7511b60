import { setTimeout as sleep } from 'node:timers/promises';
import { messagesOf, type RawClient } from '../../../test/support/raw-client.js';
import { binary, close, more, Opcode, pong, text } from '../../../test/support/raw-frames.js';
import { ALL_AS_SENT, numberedPayload } from '../app.js';
import { DEADLINE, gets, until, type Subject } from '../subject.js';
import { cell, closeCode, describeClose, isClosed, when, type Cell, type Row } from './row.js';

/** No frame: all reserved bits are set. */
const GARBAGE = Buffer.from([0xff, 0xff, 0xff, 0xff]);
/** More than the usual limits: 1 MiB of dwebsocket, 100 MiB of ws. */
const TOO_LONG = 200n * 2n ** 20n;
const FRAGMENTS = 20_000;

export const frameRows: Row[] = [
  {
    name: 'A client resets its connection while async middleware still decides',
    app: 'guarded',
    wanted: 'the process lives, and others are served',
    play: async (subject) => {
      for (let i = 0; i < 3; i++) {
        const client = await subject.knock();
        await sleep(80); // the request arrives, and the middleware has not decided yet
        client.reset();
      }
      await sleep(500);
      return when(await subject.serves(), 'others are served', cell('hangs', 'others get no answer'));
    },
  },
  {
    name: 'A client sends four bytes that are no frame; the app has no error listener',
    app: 'echo',
    wanted: 'close code 1002, and others are served',
    play: async (subject) => {
      const client = await subject.open();
      client.write(GARBAGE);
      if (!(await isClosed(client))) return cell('hangs', 'the client is not closed');
      if (!(await subject.serves())) return cell('hangs', 'others get no answer');
      return cell(closeCode(client) === 1002 ? 'ok' : 'lost', `closed with ${describeClose(client)}`);
    },
  },
  {
    name: 'A client sends an unsolicited pong, then a message in two frames',
    app: 'echo',
    wanted: 'the message is echoed',
    play: async (subject) => {
      const client = await subject.open();
      client.write(pong('?'), text('Hel', { fin: false }), pong('!'), more('lo'));
      return when(await gets(client, 'Hello'), 'echoed', cell('lost', 'no echo'));
    },
  },
  {
    name: 'A client sends a message in 20,000 frames',
    app: 'echo',
    wanted: 'the message is echoed',
    play: async (subject) => {
      const client = await subject.open();
      const fragment = more('x', { fin: false });
      client.write(
        Buffer.concat([text('x', { fin: false }), ...Array<Buffer>(FRAGMENTS - 2).fill(fragment), more('x')]),
      );
      const echoed = await gets(client, 'x'.repeat(FRAGMENTS), 5 * DEADLINE);
      return when(echoed, 'echoed', cell('lost', `no echo, closed with ${describeClose(client)}`));
    },
  },
  {
    name: 'A client sends a message above the limit',
    app: 'echo',
    wanted: 'close code 1009, with a reason that tells the limit',
    play: async (subject) => {
      const client = await subject.open();
      client.write(text('x', { claimedLength: TOO_LONG, lengthBits: 64 }));
      if (!(await isClosed(client))) return cell('hangs', 'the client is not closed');
      const reason = client.framesOf(Opcode.close)[0]?.payload.subarray(2).toString() ?? '';
      const seen = `closed with ${describeClose(client)}`;
      return when(/\d/.test(reason), `${seen}, “${reason}”`, cell('lost', `${seen} and no reason`));
    },
  },
  {
    name: 'A client sends three messages and a close frame in one packet',
    app: 'echo',
    wanted: 'three answers, and then a close frame',
    play: (subject) => sendThreeAnd(subject, close(1000), 1000),
  },
  {
    name: 'A client sends three messages and a broken frame in one packet',
    app: 'echo',
    wanted: 'three answers, and then close code 1002',
    play: (subject) => sendThreeAnd(subject, GARBAGE, 1002),
  },
  {
    name: 'A connection breaks in the middle of a message while the handler does not read',
    app: 'collects',
    wanted: 'each message that the handler gets is as it was sent',
    play: async (subject) => {
      const client = await subject.open();
      const sent = Buffer.concat(Array.from({ length: 200 }, (_, i) => binary(numberedPayload(i))));
      // Two packets, each cut in the middle of a message: 32 KiB fill a small queue, 8 KiB stay in the socket.
      client.write(sent.subarray(0, 32 * 1024));
      await sleep(100);
      client.write(sent.subarray(32 * 1024, 40 * 1024));
      await sleep(100);
      client.reset();
      if (!(await until(() => subject.told.length > 0))) return cell('hangs', 'the handler hears of no end');
      const [seen = ''] = subject.told;
      return cell(seen === ALL_AS_SENT ? 'ok' : 'lost', seen);
    },
  },
];

async function sendThreeAnd(subject: Subject, last: Buffer, code: number): Promise<Cell> {
  const client = await subject.open();
  client.write(Buffer.concat([text('one'), text('two'), text('three'), last]));
  if (!(await until(() => closeCode(client) !== undefined))) return cell('hangs', 'no close frame');
  const answers = answersOf(client);
  const seen = `${answers.length} answers, then ${describeClose(client)}`;
  return cell(answers.join() === 'one,two,three' && closeCode(client) === code ? 'ok' : 'lost', seen);
}

const answersOf = (client: RawClient): string[] =>
  messagesOf(client).map(({ payload }) => payload.toString());
