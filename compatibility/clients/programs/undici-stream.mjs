// With undici's WebSocketStream: node undici-stream.mjs ws://127.0.0.1:8000
import { WebSocketStream } from 'undici';

const url = process.argv[2];
const tell = (step, seen) => console.log(JSON.stringify({ step, ...seen }));

async function open(path, options) {
  const websocket = new WebSocketStream(url + path, options);
  const { readable, writable, protocol } = await websocket.opened;
  return { websocket, reader: readable.getReader(), writer: writable.getWriter(), protocol };
}

const describe = ({ closeCode, reason }) => ({ code: closeCode, reason });
const describeError = ({ name, message, closeCode, reason }) => ({
  error: `${name}: ${message}`,
  code: closeCode,
  reason,
});

function compare(sent, received) {
  const bytes = new Uint8Array(received);
  return { length: bytes.length, same: bytes.every((byte, i) => byte === sent[i]) };
}

const echo = await open('/echo', { protocols: ['superchat', 'chat'] });
tell('open', { protocol: echo.protocol });
for (const [step, message] of [
  ['text', 'hello'],
  ['unicode', 'Grüße, 世界 👋'],
  ['ping of the server', 'ping me'],
]) {
  await echo.writer.write(message);
  tell(step, { echo: (await echo.reader.read()).value });
}
await echo.writer.write(new Uint8Array([0, 1, 2, 253, 254, 255]));
tell('binary', { echo: [...new Uint8Array((await echo.reader.read()).value)] });
const large = Uint8Array.from({ length: 1_048_576 }, (_, i) => i % 251);
await echo.writer.write(large);
tell('large', compare(large, (await echo.reader.read()).value));
echo.websocket.close({ closeCode: 4001, reason: 'bye' });
tell('close', describe(await echo.websocket.closed));

const compressed = await open('/compressed');
const zeros = new Uint8Array(100_000);
await compressed.writer.write(zeros);
tell('compressed', compare(zeros, (await compressed.reader.read()).value));
compressed.websocket.close();
await compressed.websocket.closed;

const goodbye = await open('/goodbye');
tell('close of the server', describe(await goodbye.websocket.closed));

const lost = await open('/lost');
void lost.writer.write('lose me').catch(() => {});
lost.reader.closed.catch(() => {});
lost.writer.closed.catch(() => {});
tell('lost', await lost.websocket.closed.then(describe, describeError));

const refused = new WebSocketStream(`${url}/refused`);
refused.closed.catch(() => {});
tell('refused', await refused.opened.then(describe, describeError));
process.exit();
