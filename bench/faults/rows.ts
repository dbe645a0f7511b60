import { setTimeout as sleep } from 'node:timers/promises';
import { handshakeRequest, messagesOf, type RawClient } from '../../test/support/raw-client.js';
import { close, closeCodeOf, more, Opcode, pong, text } from '../../test/support/raw-frames.js';
import type { AppName } from './app.js';
import { DEADLINE, gets, until, type Subject } from './subject.js';

export type Outcome = 'ok' | 'lost' | 'hangs' | 'dies';

export interface Cell {
  outcome: Outcome | '–';
  /** What was seen. */
  detail: string;
}

export interface Row {
  name: string;
  app: AppName;
  /** What must not be: shown below the table. */
  wanted: string;
  /** Does what the client does, and looks. That the process has died is seen by the caller. */
  play: (subject: Subject) => Promise<Cell>;
}

const cell = (outcome: Outcome, detail: string): Cell => ({ outcome, detail });
const when = (good: boolean, detail: string, otherwise: Cell): Cell =>
  good ? cell('ok', detail) : otherwise;

export const rows: Row[] = [
  {
    name: 'resets the TCP connection while async middleware still decides',
    app: 'guarded',
    wanted: 'the process lives, and others are served',
    play: async (subject) => {
      for (let i = 0; i < 3; i++) {
        const client = await subject.knock();
        await sleep(20);
        client.reset();
      }
      await sleep(300);
      return when(await subject.serves(), 'others are served', cell('hangs', 'others get no answer'));
    },
  },
  {
    name: 'sends four bytes that are no frame, to a handler without an error listener',
    app: 'echo',
    wanted: 'close code 1002, and others are served',
    play: async (subject) => {
      const client = await open(subject);
      client.write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
      if (!(await isClosed(client))) return cell('hangs', 'the client is not closed');
      return when(
        await subject.serves(),
        `closed with ${describeClose(client)}`,
        cell('hangs', 'others get no answer'),
      );
    },
  },
  {
    name: 'sends its first message right behind the handshake, while auth awaits',
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
    name: 'sends two messages in one packet, to a handler that awaits between reads',
    app: 'pull',
    wanted: 'the handler gets both',
    play: async (subject) => {
      const client = await open(subject);
      client.write(Buffer.concat([text('one,'), text('two')]));
      return when(await gets(client, 'one,two'), 'both are read', cell('lost', 'the second is never read'));
    },
  },
  {
    name: 'sends a message after a wait of the handler has timed out',
    app: 'patience',
    wanted: 'the next wait gets it',
    play: async (subject) => {
      const client = await open(subject);
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
    name: 'the handler throws (async, after a message)',
    app: 'throws',
    wanted: 'the client is closed with 1011, and the error reaches the error handler of the app',
    play: async (subject) => {
      const client = await open(subject);
      client.write(text('now'));
      const closed = await isClosed(client);
      await until(() => subject.errorReported, 500);
      if (!closed) return cell('hangs', `the client is not closed, the error is ${told(subject)}`);
      const detail = `closed with ${describeClose(client)}, the error is ${told(subject)}`;
      return cell(subject.errorReported && closeCode(client) === 1011 ? 'ok' : 'lost', detail);
    },
  },
  {
    name: 'the server is stopped while a websocket is open',
    app: 'echo',
    wanted: 'it says so within 2 s, and the client has got a close frame',
    play: async (subject) => {
      const client = await open(subject);
      subject.stop();
      await isClosed(client);
      const stopped = await until(() => subject.stopped);
      const detail = `the client sees ${describeClose(client)}`;
      if (!stopped) return cell('hangs', `the callback does not come; ${detail}`);
      return cell(client.framesOf(Opcode.close).length > 0 ? 'ok' : 'lost', detail);
    },
  },
  {
    name: 'opens a websocket on a path without a route',
    app: 'echo',
    wanted: "the app's 404",
    play: async (subject) => {
      const client = await subject.knock({ path: '/nowhere' });
      try {
        const { status } = await client.response(DEADLINE);
        if (status !== 101) return cell(status === 404 ? 'ok' : 'lost', `answered with ${status}`);
      } catch {
        return cell('hangs', 'no answer');
      }
      await isClosed(client, 500);
      return cell('lost', `101, then ${describeClose(client)}`);
    },
  },
  {
    name: "opens another library's websocket on the same server (socket.io)",
    app: 'beside',
    wanted: 'both libraries have their clients, also after 1.5 s',
    play: async (subject) => {
      if (!(await subject.serves())) return cell('lost', 'our own route has no answer');
      const ours = await open(subject);
      const theirs = await subject.knock({ path: '/socket.io/?EIO=4&transport=websocket' });
      const { status } = await theirs.response(DEADLINE).catch(() => ({ status: 0 }));
      if (status !== 101) return cell('lost', `socket.io's client is answered with ${status || 'nothing'}`);
      theirs.write(text('40')); // "connect", in its protocol
      await sleep(1_500);
      theirs.write(text('42["message","theirs"]'));
      ours.write(text('ours'));
      if (!(await gets(theirs, '42["message","theirs"]'))) {
        return cell('lost', `socket.io's client gets no answer: ${describeClose(theirs)}`);
      }
      return when(
        await gets(ours, 'ours'),
        'both are served',
        cell('lost', `ours sees ${describeClose(ours)}`),
      );
    },
  },
  {
    name: 'opens a websocket in a router (Express 5, where it is built on Express)',
    app: 'router',
    wanted: 'an echo',
    play: async (subject) =>
      when(await subject.serves('/api/ws'), 'echoed', cell('lost', 'the route is not reached')),
  },
  {
    name: 'the handler closes with a reason of 100 × “é”, which is 200 bytes',
    app: 'longReason',
    wanted: 'the process lives and the client is closed',
    play: async (subject) => {
      const client = await open(subject);
      client.write(text('now'));
      const closed = await isClosed(client);
      return when(closed, `closed with ${describeClose(client)}`, cell('hangs', 'the client is not closed'));
    },
  },
  {
    name: 'sends a pong nobody asked for, then a fragmented message',
    app: 'echo',
    wanted: 'the message is echoed',
    play: async (subject) => {
      const client = await open(subject);
      client.write(pong('?'), text('Hel', { fin: false }), pong('!'), more('lo'));
      return when(await gets(client, 'Hello'), 'echoed', cell('lost', 'no echo'));
    },
  },
  {
    name: 'sends its handshake behind a request that is not answered yet',
    app: 'guarded',
    wanted: 'the first answer is whole, and others are served',
    play: async (subject) => {
      const request = `GET /first HTTP/1.1\r\nHost: localhost\r\n\r\n${handshakeRequest({ path: '/ws' })}`;
      const client = await subject.knock({ request });
      const first = await client.response(DEADLINE).catch(() => undefined);
      if (!(await subject.serves())) return cell('hangs', 'others get no answer');
      return when(
        first?.status === 404,
        '404, as asked',
        cell('lost', `the first answer is ${first?.status ?? 'none'}`),
      );
    },
  },
];

async function open(subject: Subject): Promise<RawClient> {
  const client = await subject.knock();
  const { status } = await client.response(DEADLINE);
  if (status !== 101) throw new Error(`the handshake was answered with ${status}`);
  return client;
}

/** Whether the server closes it in time; an honest client answers a close frame. */
async function isClosed(client: RawClient, deadline = DEADLINE): Promise<boolean> {
  if (!(await until(() => closeCode(client) !== undefined, deadline))) return false;
  if (client.framesOf(Opcode.close).length > 0) client.write(close(1000));
  return true;
}

/** As a browser would report it; `undefined` while it is open. */
function closeCode(client: RawClient): number | undefined {
  const frame = client.framesOf(Opcode.close)[0];
  if (frame?.fin === true) return closeCodeOf(frame);
  return client.socket.readableEnded || client.socket.destroyed ? 1006 : undefined;
}

function describeClose(client: RawClient): string {
  if (client.frames.some(({ bytes }) => bytes.subarray(0, 4).toString() === 'HTTP'))
    return 'HTTP text in a frame';
  if (client.rest.subarray(0, 4).toString() === 'HTTP') return 'HTTP text in place of a frame';
  const code = closeCode(client);
  if (code === undefined) return messagesOf(client).length > 0 ? 'messages and no close' : 'no close';
  return String(code);
}

const told = (subject: Subject): string => (subject.errorReported ? 'reported' : 'not reported');
