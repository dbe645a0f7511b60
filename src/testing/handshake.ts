import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Connection } from '../websocket/connection.js';
import type { Websocket } from '../websocket/websocket.js';
import { keepCookies, type ClientSettings } from './client-options.js';
import { startDeadline } from './deadline.js';
import { at, WebsocketExpectationError, WebsocketHandshakeError, type Site } from './errors.js';

/** What the 101 has brought. */
export interface Welcome {
  readonly headers: IncomingHttpHeaders;
  readonly protocol: string;
}

/** What a connection tells instead of 'error', which has become its owner's. */
export const FAILED = Symbol('failed');

/**
 * Sees a client's handshake to its end; `onFailed` is called before the connection is cut, and with what
 * breaks it later.
 *
 * @throws {WebsocketHandshakeError} It was answered like an ordinary request.
 * @throws {WebsocketExpectationError} It was not answered, or the connection failed.
 */
export function shakeHands(
  connection: Connection<Websocket>,
  url: URL,
  settings: ClientSettings,
  site: Site,
  onFailed: (error: Error) => void,
): Promise<Welcome> {
  const { deadline, protocols } = settings;
  const path = url.pathname + url.search;
  return new Promise((resolve, reject) => {
    let welcome: Welcome = { headers: {}, protocol: '' };
    let explainLate = (): Error =>
      expectation('nothing came: does a middleware forget to call next(), or a route to answer?');
    const fail = (error: Error): void => {
      stop();
      onFailed(at(site, error));
      reject(error);
      connection.terminate();
    };
    const expectation = (came: string, cause?: unknown): Error =>
      new WebsocketExpectationError(
        `${path} to become a websocket within ${String(deadline)} ms`,
        came,
        cause,
      );
    const stop = startDeadline(deadline, () => {
      fail(explainLate());
    });
    connection.once('upgrade', (response: IncomingMessage) => {
      const { headers } = response;
      welcome = { headers: { ...headers }, protocol: headers['sec-websocket-protocol'] ?? '' };
      keepCookies(settings, headers['set-cookie']);
      // ws, like a browser, refuses an answer that takes up none of the offered subprotocols. RFC 6455 (4.2.2) lets
      // a server do so, and what the test wants to know is what the server does. So ws knows of no offer.
      if (protocols.includes(welcome.protocol)) delete headers['sec-websocket-protocol'];
    });
    connection.once('open', () => {
      stop();
      resolve(welcome);
    });
    connection.once('unexpected-response', (_request: unknown, response: IncomingMessage) => {
      const { statusCode = 0, headers } = response;
      keepCookies(settings, headers['set-cookie']);
      const body = collectBody(response);
      const explain = (): Error => new WebsocketHandshakeError(path, statusCode, headers, body.join(''));
      // Also a body that breaks off or never ends: what came of it is what the test wants to see.
      explainLate = explain;
      response.on('close', () => {
        fail(explain());
      });
    });
    connection.once(FAILED, (error: Error) => {
      fail(
        expectation(
          error.message === 'socket hang up' ? 'the server closed the connection' : error.message,
          error,
        ),
      );
    });
  });
}

function collectBody(response: IncomingMessage): string[] {
  const body: string[] = [];
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => body.push(chunk));
  response.on('error', () => undefined);
  return body;
}
