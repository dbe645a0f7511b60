import http from 'node:http';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { attachWebsocket } from 'dwebsocket';
import { expect } from 'vitest';
import { WebSocketServer } from 'ws';
import { connect } from '../../support/client.js';
import { request } from '../../support/request.js';
import { listen } from '../../support/serve.js';
import type { Neighbour } from './neighbour.js';

interface Options {
  /** Whether the test adds its 'upgrade' listener, or it begins to listen with its first HTTP request. */
  byHand: boolean;
  /** Whether it forwards all upgrades, also those of other paths. */
  all?: boolean;
}

/** http-proxy-middleware with `ws: true` before its own server, which counts the requests. */
export function proxy({ byHand, all = false }: Options): Neighbour {
  return {
    name: `http-proxy-middleware that ${byHand ? 'is given' : 'begins with its first request to listen for'} ${all ? 'all' : 'its'} upgrades`,
    strangers: all ? 'takes' : 'leaves',
    async join(server, app) {
      let visits = 0;
      let websockets = 0;
      const backend = await listen(http.createServer((_req, res) => res.end('backend')));
      const wss = new WebSocketServer({ server: backend.server as http.Server });
      // This server is in the same process, but has no routes of this package.
      attachWebsocket(backend.server, { owns: () => false });
      wss.on('connection', (ws) => {
        websockets++;
        ws.on('message', (data: Buffer) => ws.send(`backend: ${data.toString()}`));
      });
      const middleware = createProxyMiddleware({
        target: `http://127.0.0.1:${backend.port}`,
        ...(!all && { pathFilter: '/backend' }),
        ws: true,
      });
      if (all) app.use('/backend', middleware);
      else app.use(middleware);
      if (byHand) server.on('upgrade', middleware.upgrade);
      return {
        async visit(site) {
          visits++;
          if (!byHand) expect((await request(site, '/backend')).body).toBe('backend');
          const client = await connect(site, '/backend');
          client.send('hello');
          expect(await client.next()).toBe('backend: hello');
          await client.close();
        },
        expectUndisturbed() {
          expect(websockets).toBe(visits);
        },
      };
    },
  };
}
