import { setTimeout as sleep } from 'node:timers/promises';
import { Opcode, text } from '../../../test/support/raw-frames.js';
import { DEADLINE, gets, until } from '../subject.js';
import { cell, describeClose, isClosed, when, type Row } from './row.js';

export const serverRows: Row[] = [
  {
    name: "A client opens another library's websocket on the same server (socket.io)",
    app: 'beside',
    wanted: 'both libraries serve their clients, also after 1.5 seconds',
    play: async (subject) => {
      if (!(await subject.serves())) return cell('lost', 'the route of the library has no answer');
      const ours = await subject.open();
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
        cell('lost', `the client of the library sees ${describeClose(ours)}`),
      );
    },
  },
  {
    name: 'Another ‘upgrade’ listener awaits, and then ends each socket that is not its own',
    app: 'neighbour',
    wanted: 'an echo',
    play: async (subject) => {
      const client = await subject.knock();
      await client.response(DEADLINE).catch(() => undefined);
      await sleep(200);
      client.write(text('Hello'));
      const echoed = await gets(client, 'Hello');
      return when(echoed, 'echoed', cell('lost', `no echo, the client sees ${describeClose(client)}`));
    },
  },
  {
    name: 'The server is stopped while a websocket is open',
    app: 'echo',
    wanted: 'the server says within 4 seconds that it has stopped, and the client gets a close frame',
    play: async (subject) => {
      const client = await subject.open();
      subject.stop();
      await isClosed(client);
      const stopped = await until(() => subject.stopped);
      const seen = `the client sees ${describeClose(client)}`;
      if (!stopped) return cell('hangs', `the callback does not come; ${seen}`);
      return cell(client.framesOf(Opcode.close).length > 0 ? 'ok' : 'lost', seen);
    },
  },
  {
    name: 'A client asks for server-sent events with `Upgrade: websocket`; the server is stopped',
    app: 'events',
    wanted: 'the server says within 4 seconds of `closeAllConnections()` that it has stopped',
    play: async (subject) => {
      const client = await subject.knock({ path: '/events' });
      const { status } = await client.response(DEADLINE);
      await isClosed(client, 100); // a library that makes a websocket of it may close it
      subject.stop();
      await isClosed(client, 300);
      subject.closeAllConnections();
      const stopped = await until(() => subject.stopped);
      const seen = `the client is answered with ${status}`;
      return stopped ? cell('ok', seen) : cell('hangs', `the callback does not come; ${seen}`);
    },
  },
];
