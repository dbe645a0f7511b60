import { once } from 'node:events';
import * as http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import express from 'express';
import ts from 'typescript';
import { expect, onTestFinished, test } from 'vitest';
import * as dwebsocket from 'dwebsocket';
import { Http2Tunnel, openSession } from '../support/http2-tunnel.js';
import { handshakeRequest, messagesOf, RawClient } from '../support/raw-client.js';
import { close, text } from '../support/raw-frames.js';
import { CERTIFICATE } from '../support/serve.js';
import { openDocument } from './scenario.js';

test('the server of the page echoes over HTTP/2, and answers plain HTTP/2', async () => {
  const { code } = openDocument('docs/http2.md').find('websockets-over-http2', 'js');
  const servers: http2.Http2SecureServer[] = [];
  const modules: Record<string, object> = {
    'node:fs': { readFileSync: (name: string) => CERTIFICATE[name === 'key.pem' ? 'key' : 'cert'] },
    'node:http2': {
      createSecureServer(options: http2.SecureServerOptions, app: never) {
        const server = http2.createSecureServer(options, app);
        servers.push(server);
        const listen = server.listen.bind(server) as (port: number) => unknown;
        return Object.assign(server, { listen: () => listen(0) });
      },
    },
    express: { default: express, __esModule: true },
    dwebsocket,
  };
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: {
      module: ts.ModuleKind.CommonJS,
      target: ts.ScriptTarget.ES2022,
      esModuleInterop: true,
    },
  });
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- this is what the test is for
  const run = new Function('require', 'exports', outputText) as (require: unknown, exports: object) => void;
  run((name: string) => modules[name], {});
  const [server] = servers as [http2.Http2SecureServer];
  await once(server, 'listening');
  const session = await openSession(`https://localhost:${String((server.address() as AddressInfo).port)}`);
  onTestFinished(async () => {
    session.destroy();
    server.close();
    await once(server, 'close');
  });
  const client = new RawClient(new Http2Tunnel(session).asSocket());
  client.write(handshakeRequest({ path: '/echo' }), text('Hello'), close(1000));
  expect(await client.end()).toBe('end');
  expect(messagesOf(client).map(({ payload }) => payload.toString())).toEqual(['Hello']);
  const plain = session.request({ ':path': '/echo?message=Hi' }).setEncoding('utf8');
  let body = '';
  for await (const chunk of plain) body += String(chunk);
  expect(body).toBe('Hi');
});
