// A server with `ws` alone: an echo on PORT. "restart" closes with 1012, "bye" with 1000; "/refused" answers 403.
import { createServer } from 'node:http';
import process from 'node:process';
import { WebSocketServer } from 'ws';

const codes = { restart: 1012, bye: 1000 };
const websockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'chat' });
const server = createServer();
server.on('upgrade', (req, socket, head) => {
  if (req.url === '/refused') {
    socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    return;
  }
  websockets.handleUpgrade(req, socket, head, (websocket) => {
    websocket.on('message', (data, isBinary) => {
      const code = codes[data.toString()];
      if (code === undefined) websocket.send(data, { binary: isBinary });
      else websocket.close(code);
    });
  });
});
server.listen(Number(process.env.PORT), '127.0.0.1', () =>
  console.log(`http://127.0.0.1:${server.address().port}`),
);
