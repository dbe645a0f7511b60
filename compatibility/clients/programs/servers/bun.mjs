// The server of ws.mjs, with Bun.serve.
/* global Bun */
import process from 'node:process';

const codes = { restart: 1012, bye: 1000 };
const server = Bun.serve({
  port: Number(process.env.PORT),
  hostname: '127.0.0.1',
  fetch(req, self) {
    if (new URL(req.url).pathname === '/refused') return new Response(null, { status: 403 });
    if (self.upgrade(req, { headers: { 'sec-websocket-protocol': 'chat' } })) return undefined;
    return new Response(null, { status: 426 });
  },
  websocket: {
    message(websocket, message) {
      const code = codes[message];
      if (code === undefined) websocket.send(message);
      else websocket.close(code);
    },
  },
});
console.log(`http://127.0.0.1:${server.port}`);
