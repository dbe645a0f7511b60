import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { Express } from 'express';

/** `wss:` is WebSocket over `https:`: pass the app to a server with a certificate; nothing else changes. */
export function serveWithTls(app: Express, folder: string, port = 443) {
  const read = () => ({
    cert: readFileSync(`${folder}/certificate.pem`),
    key: readFileSync(`${folder}/key.pem`),
  });
  const server = createServer(read(), app).listen(port);
  // New connections use the renewed certificate; open websockets stay open.
  process.on('SIGHUP', () => server.setSecureContext(read()));
  return server;
}
