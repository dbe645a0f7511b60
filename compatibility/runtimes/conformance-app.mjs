// The echo server of test/conformance, in a process of its own. It says what its side has seen of a websocket on request.
import { acceptWebsocket } from 'dwebsocket';
import express from 'express';

const accounts = new Map();

const app = express();
app.all(
  '/echo',
  acceptWebsocket(
    async (req, res) => {
      if (!req.isWebsocket()) return void res.send('plain HTTP');
      const received = [];
      const { closed } = req.websocket;
      accounts.set(req.query.id, { received, closed });
      for await (const message of req.websocket) {
        received.push(message);
        req.websocket.send(message);
      }
    },
    JSON.parse(process.env.OPTIONS ?? '{}'),
  ),
);
app.get('/account', async (req, res) => {
  const account = accounts.get(req.query.id);
  if (account === undefined) return void res.sendStatus(404);
  const closed = await account.closed;
  const received = account.received.map((message) =>
    typeof message === 'string' ? { text: message } : { base64: message.toString('base64') },
  );
  accounts.delete(req.query.id);
  res.json({ received, closed });
});

const server = app.listen(Number(process.env.PORT), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
