// The server of ws.mjs, with Deno.serve.
/* global Deno */
const codes = { restart: 1012, bye: 1000 };
Deno.serve(
  {
    port: Number(Deno.env.get('PORT')),
    hostname: '127.0.0.1',
    onListen: ({ port }) => console.log(`http://127.0.0.1:${port}`),
  },
  (req) => {
    if (new URL(req.url).pathname === '/refused') return new Response(null, { status: 403 });
    const { socket, response } = Deno.upgradeWebSocket(req, { protocol: 'chat' });
    socket.onmessage = ({ data }) => {
      const code = codes[data];
      if (code === undefined) socket.send(data);
      else socket.close(code);
    };
    return response;
  },
);
