import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { Express } from 'express';

/** `wss:` is `https:`: the app is handed to a server with a certificate, and nothing else changes. */
export function serveWithTls(app: Express, folder: string, port = 443) {
  const read = () => ({
    cert: readFileSync(`${folder}/certificate.pem`),
    key: readFileSync(`${folder}/key.pem`),
  });
  const server = createServer(read(), app).listen(port);
  // A renewed certificate is for new connections; the open websockets stay.
  process.on('SIGHUP', () => server.setSecureContext(read()));
  return server;
}
