import { on } from 'node:events';
import { createServer, type Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer } from 'ws';

/** Bare `ws`, as its README shows it. Text is decoded to a string, because handlers work with strings. */
export function echo(): Server {
  const server = createServer();
  new WebSocketServer({ server }).on('connection', (ws) => {
    ws.on('error', console.error);
    ws.on('message', (data: Buffer, isBinary) => {
      ws.send(isBinary ? data : data.toString());
    });
  });
  return server.listen(0, '127.0.0.1');
}

/** Parses each message as JSON, and answers with the value. */
export function json(): Server {
  const server = createServer();
  new WebSocketServer({ server }).on('connection', (ws) => {
    ws.on('error', console.error);
    ws.on('message', (data: Buffer) => {
      let value: unknown;
      try {
        value = JSON.parse(data.toString());
      } catch {
        ws.close(1007);
        return;
      }
      ws.send(JSON.stringify(value));
    });
  });
  return server.listen(0, '127.0.0.1');
}

/** Sends each message of `/sender` to all other websockets, `burst` times, like the broadcast of the README. */
export function fanOut({ burst }: { burst: number }): Server {
  const server = createServer();
  const wss = new WebSocketServer({ server });
  wss.on('connection', (ws, request) => {
    ws.on('error', console.error);
    if (request.url?.startsWith('/sender') !== true) return;
    ws.on('message', (data: Buffer) => {
      const text = data.toString();
      for (let index = 0; index < burst; index++) {
        const message = text + String(index % 10);
        for (const client of wss.clients) {
          if (client !== ws && client.readyState === client.OPEN) client.send(message);
        }
      }
    });
  });
  return server.listen(0, '127.0.0.1');
}

/** Echoes slowly, one message after the other. `ws` has no iterator, so it uses `events.on`. */
export function slowEcho(): Server {
  const server = createServer();
  new WebSocketServer({ server }).on('connection', (ws) => {
    ws.on('error', console.error);
    void (async () => {
      for await (const [data, isBinary] of on(ws, 'message', { close: ['close'] })) {
        await sleep(1);
        ws.send(isBinary ? (data as Buffer) : String(data));
      }
    })();
  });
  return server.listen(0, '127.0.0.1');
}
