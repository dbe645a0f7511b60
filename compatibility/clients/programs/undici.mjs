// With undici's WebSocket: node undici.mjs ws://127.0.0.1:8000
import { WebSocket, ping } from 'undici';
import { converse } from './standard.mjs';

const tell = (step, seen) => console.log(JSON.stringify({ step, ...seen }));
await converse(WebSocket, process.argv[2], tell);

const websocket = new WebSocket(`${process.argv[2]}/echo`);
websocket.addEventListener('open', () => {
  ping(websocket, Buffer.from('payload'));
  // A pong is no event. The echo behind it shows that the connection is sound.
  websocket.send('after the ping');
});
websocket.addEventListener('message', ({ data }) => {
  tell('ping', { echo: data });
  process.exit();
});
