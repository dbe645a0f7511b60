import { handshakeRequest } from '../../../test/support/raw-client.js';
import { USER_HEADER } from '../app.js';
import { DEADLINE, until } from '../subject.js';
import { cell, describeClose, isClosed, when, type Row } from './row.js';

/** As Java's HttpClient asks for HTTP/2, unless it is told not to. */
const H2C = 'Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEAAEAA\r\nUpgrade: h2c\r\n';

const upload = (headers: string, body: string): string =>
  `POST /upload HTTP/1.1\r\nHost: localhost\r\n${H2C}${headers}Content-Type: text/plain\r\n` +
  `Content-Length: ${body.length}\r\n\r\n${body}`;

export const httpRows: Row[] = [
  {
    name: 'A client opens a websocket on a path without a route',
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
    name: 'A client opens a websocket in a router (Express 5, where the library is built on Express)',
    app: 'router',
    wanted: 'an echo',
    play: async (subject) =>
      when(await subject.serves('/api/ws'), 'echoed', cell('lost', 'the route is not reached')),
  },
  {
    name: 'A client sends its handshake behind a request that is not answered yet',
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
  {
    name: 'A client asks for the route of a websocket with plain HTTP/1.0',
    app: 'echo',
    wanted: 'an answer, and the connection ends',
    play: async (subject) => {
      const client = await subject.knock({ request: 'GET /ws HTTP/1.0\r\nHost: localhost\r\n\r\n' });
      const { status } = await client.response(DEADLINE);
      const ended = await client.end(DEADLINE).catch(() => undefined);
      return ended === undefined
        ? cell('hangs', `${status}, and the connection stays open`)
        : cell('ok', `answered with ${status}`);
    },
  },
  {
    name: 'A client posts a body with `Upgrade: h2c`, as Java’s HttpClient does',
    app: 'uploads',
    wanted: "the app's answer",
    play: async (subject) => {
      const client = await subject.knock({ request: upload('', 'hello') });
      const answer = await client.response(DEADLINE).catch(() => undefined);
      if (answer === undefined)
        return client.socket.closed ? cell('lost', 'hung up') : cell('hangs', 'no answer');
      await until(() => answer.body() !== '', 500);
      const isWhole = answer.status === 200 && answer.body() === '5';
      return when(isWhole, 'answered', cell('lost', `answered with ${answer.status}`));
    },
  },
  {
    name: 'A client posts a body with `Upgrade: h2c` and 2,100 headers; the body looks like a request',
    app: 'uploads',
    wanted: 'the body is not taken for a request',
    play: async (subject) => {
      const body = 'GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n';
      const client = await subject.knock({ request: upload('a: b\r\n'.repeat(2_100), body) });
      const answer = await client.response(DEADLINE).catch(() => undefined);
      if (await subject.tells('GET /hidden', 500)) return cell('lost', 'the app gets a second request');
      if (answer === undefined)
        return client.socket.closed ? cell('ok', 'hung up') : cell('hangs', 'no answer');
      return cell('ok', `answered with ${answer.status}`);
    },
  },
  {
    name: 'The app sets a header with “é”',
    app: 'header',
    wanted: 'it has the same bytes on a 101 and on a 200',
    play: async (subject) => {
      const upgraded = await (await subject.knock()).response(DEADLINE);
      const request = 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
      const plain = await (await subject.knock({ request })).response(DEADLINE);
      const name = USER_HEADER[0].toLowerCase();
      const [on101, on200] = [upgraded.headers.get(name), plain.headers.get(name)];
      const seen = `${on101?.length ?? 0} bytes on the 101, ${on200?.length ?? 0} on the 200`;
      return cell(on101 !== undefined && on101 === on200 ? 'ok' : 'lost', seen);
    },
  },
  {
    name: 'A web view sends `Origin: file://`, which the app allows',
    app: 'fileOrigin',
    wanted: 'a websocket',
    play: async (subject) => {
      const client = await subject.knock({ headers: { Origin: 'file://' } });
      const { status } = await client.response(DEADLINE);
      return cell(status === 101 ? 'ok' : 'lost', `answered with ${status}`);
    },
  },
];
