import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Connection } from '../websocket/connection.js';
import type { Websocket } from '../websocket/websocket.js';
import { keepCookies, type ClientSettings } from './client-options.js';
import { startDeadline } from './deadline.js';
import { withCallSite, WebsocketExpectationError, WebsocketHandshakeError, type CallSite } from './errors.js';

/** Holds the facts of a 101 response. */
export interface HandshakeResult {
  readonly headers: IncomingHttpHeaders;
  readonly protocol: string;
}

/** The event that a connection emits instead of 'error', which its owner handles. */
export const CONNECTION_ERROR = Symbol('connection error');

/**
 * Waits for the response to a client's handshake.
 *
 * @param onFailed Called with each error of the connection, also a later one, before the connection is terminated.
 * @throws {WebsocketHandshakeError} The server answered with an ordinary response.
 * @throws {WebsocketExpectationError} The server did not answer in time, or the connection failed.
 */
export function completeHandshake(
  connection: Connection<Websocket>,
  url: URL,
  settings: ClientSettings,
  callSite: CallSite,
  onFailed: (error: Error) => void,
): Promise<HandshakeResult> {
  const { deadline, protocols } = settings;
  const path = url.pathname + url.search;
  return new Promise((resolve, reject) => {
    let result: HandshakeResult = { headers: {}, protocol: '' };
    let explainLate = (): Error =>
      expectation('nothing came: does a middleware forget to call next(), or a route to answer?');
    const fail = (error: Error): void => {
      stop();
      onFailed(withCallSite(callSite, error));
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
      result = { headers: { ...headers }, protocol: headers['sec-websocket-protocol'] ?? '' };
      keepCookies(settings, headers['set-cookie']);
      // Like a browser, ws fails when the response selects none of the offered subprotocols. RFC 6455 (4.2.2) allows such a
      // response, and a test wants to see it. So we hide the subprotocols from ws.
      if (protocols.includes(result.protocol)) delete headers['sec-websocket-protocol'];
    });
    connection.once('open', () => {
      stop();
      resolve(result);
    });
    connection.once('unexpected-response', (_request: unknown, response: IncomingMessage) => {
      const { statusCode = 0, headers } = response;
      keepCookies(settings, headers['set-cookie']);
      const body = collectBody(response);
      const explain = (): Error => new WebsocketHandshakeError(path, statusCode, headers, body.join(''));
      // A body may be cut off or never end. Then the test sees the part that arrived.
      explainLate = explain;
      response.on('close', () => {
        fail(explain());
      });
    });
    connection.once(CONNECTION_ERROR, (error: Error) => {
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
