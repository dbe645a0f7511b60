/**
 * The conversation of ../conversation.ts with a `WebSocket` as browsers have it. Browsers, Node, undici, Bun and Deno run
 * this file.
 *
 * @param {typeof WebSocket} WebSocket
 * @param {string} url of the server, without a path
 * @param {(step: string, seen: object) => unknown} tell reports what a step has seen
 */
export async function converse(WebSocket, url, tell) {
  const echo = open(WebSocket, `${url}/echo`, ['superchat', 'chat']);
  await echo.next();
  await tell('open', { protocol: echo.websocket.protocol });
  for (const [step, message] of [
    ['text', 'hello'],
    ['unicode', 'Grüße, 世界 👋'],
    ['ping of the server', 'ping me'],
  ]) {
    echo.websocket.send(message);
    await tell(step, { echo: (await echo.next()).data });
  }
  echo.websocket.send(new Uint8Array([0, 1, 2, 253, 254, 255]));
  await tell('binary', { echo: [...new Uint8Array((await echo.next()).data)] });
  const large = Uint8Array.from({ length: 1_048_576 }, (_, i) => i % 251);
  echo.websocket.send(large);
  await tell('large', compare(large, (await echo.next()).data));
  echo.websocket.close(4001, 'bye');
  await tell('close', describe(await echo.next()));

  const compressed = open(WebSocket, `${url}/compressed`);
  await compressed.next();
  const zeros = new Uint8Array(100_000);
  compressed.websocket.send(zeros);
  await tell('compressed', compare(zeros, (await compressed.next()).data));
  compressed.websocket.close();
  await compressed.next();

  const goodbye = open(WebSocket, `${url}/goodbye`);
  await goodbye.next();
  await tell('close of the server', describe(await goodbye.next()));

  const lost = open(WebSocket, `${url}/lost`);
  await lost.next();
  lost.websocket.send('lose me');
  await tell('lost', await failure(lost));

  await tell('refused', await failure(open(WebSocket, `${url}/refused`)));
}

function open(WebSocket, url, protocols = []) {
  const websocket = new WebSocket(url, protocols);
  websocket.binaryType = 'arraybuffer';
  const events = [];
  let wake;
  const push = (event) => {
    events.push(event);
    wake?.();
  };
  for (const type of ['open', 'message', 'error', 'close']) websocket.addEventListener(type, push);
  const next = async () => {
    while (events.length === 0) await new Promise((resolve) => (wake = resolve));
    return events.shift();
  };
  return { websocket, next };
}

/** The events of a websocket that fails. Some clients emit no 'close' after the 'error'. */
async function failure({ websocket, next }) {
  const seen = { events: [] };
  while (true) {
    const event = await (seen.error === undefined ? next() : Promise.race([next(), pause(2_000)]));
    if (event === undefined) return seen;
    seen.events.push(event.type);
    if (event.type === 'error') seen.error = String(event.message ?? event.error?.message ?? '');
    if (event.type === 'open') websocket.close();
    if (event.type === 'close') return { ...seen, ...describe(event) };
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const describe = ({ code, reason, wasClean }) => ({ code, reason, wasClean });

function compare(sent, received) {
  const bytes = new Uint8Array(received);
  return { length: bytes.length, same: bytes.every((byte, i) => byte === sent[i]) };
}
