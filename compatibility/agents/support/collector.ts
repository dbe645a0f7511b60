/** Takes the place of an agent's service: records what the agent sends. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { unzipSync } from 'node:zlib';
import { CERTIFICATE } from '../../../test/support/serve.js';

/** One request of an agent. */
export interface Sent {
  /** The path, with the query. */
  readonly url: string;
  /** The body, decompressed. */
  readonly body: Buffer;
}

export interface Collector {
  readonly port: number;
  /** All requests until now. */
  readonly sent: readonly Sent[];
  close(): Promise<void>;
}

/**
 * Starts a collector on a free port of this machine.
 *
 * @param answer Returns the answer to a request, which is sent as JSON.
 */
export async function startCollector(
  answer: (sent: Sent, port: number) => object = () => ({}),
  { tls = false } = {},
): Promise<Collector> {
  const sent: Sent[] = [];
  const record = async (req: IncomingMessage): Promise<object> => {
    const body = await buffer(req);
    const isCompressed = /gzip|deflate/.test(req.headers['content-encoding'] ?? '');
    const each = { url: req.url ?? '', body: isCompressed ? unzipSync(body) : body };
    sent.push(each);
    return answer(each, req.socket.localPort ?? 0);
  };
  const listener: RequestListener = (req, res) => {
    record(req).then(
      (object) => res.setHeader('Content-Type', 'application/json').end(JSON.stringify(object)),
      (error: unknown) => res.writeHead(500).end(String(error)),
    );
  };
  const server = tls ? https.createServer(CERTIFICATE, listener) : createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    sent,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
