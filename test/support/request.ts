import http from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { within } from './inbox.js';
import { RFC_KEY } from './raw-client.js';
import type { Site } from './serve.js';

export interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: string;
}

export interface RequestOptions {
  method?: string;
  headers?: http.OutgoingHttpHeaders;
  body?: string;
}

/** The headers of a handshake that a route accepts. */
export const HANDSHAKE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-key': RFC_KEY,
  'sec-websocket-version': '13',
};

/** An HTTP request on a connection of its own. */
export async function request(site: Site, path: string, options: RequestOptions = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body } = options;
  const send = site.tls ? https.request : http.request;
  const req = send({
    host: '127.0.0.1',
    port: site.port,
    path,
    method,
    headers,
    agent: false,
    rejectUnauthorized: false,
  });
  const answer = new Promise<http.IncomingMessage>((resolve, reject) => {
    req.on('response', resolve);
    req.on('error', reject);
    req.on('upgrade', (_res, socket) => {
      socket.destroy();
      reject(new Error(`${path} was not to become a websocket, but did`));
    });
  });
  req.end(body);
  const res = await within(answer, `answer to ${method} ${path}`);
  return {
    status: res.statusCode!,
    headers: res.headers,
    body: await within(text(res), `body of ${method} ${path}`),
  };
}

/** A handshake that is to be answered like an ordinary request, and not with 101. */
export function requestUpgrade(
  site: Site,
  path: string,
  headers: http.OutgoingHttpHeaders = {},
): Promise<Answer> {
  return request(site, path, { headers: { ...HANDSHAKE, ...headers } });
}
