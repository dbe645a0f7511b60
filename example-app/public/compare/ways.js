// Four ways to be up to date. Each takes what it needs to ask for, says when it asks, and hands over what it hears.
import { openWebsocket } from '/tour.js';

/** Ask again and again. */
async function poll({ path, interval, after, signal, onRequest, onEvent }) {
  while (!signal.aborted) {
    onRequest();
    const answer = await fetch(`${path}&after=${after}`, { signal });
    for (const event of await answer.json()) {
      after = event.id;
      onEvent(event);
    }
    await sleep(interval, signal);
  }
}

/** Ask, and the server answers when it has something to say. Then ask again. */
async function pollLong({ path, after, signal, onRequest, onEvent }) {
  while (!signal.aborted) {
    onRequest();
    const answer = await fetch(`${path}&after=${after}`, { signal });
    for (const event of await answer.json()) {
      after = event.id;
      onEvent(event);
    }
  }
}

/** Ask once, and read an answer that never ends: a line for each event. */
async function stream({ path, signal, onRequest, onEvent }) {
  onRequest();
  const answer = await fetch(path, { signal });
  const decoder = new TextDecoder();
  let text = '';
  for (const reader = answer.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (text + decoder.decode(value, { stream: true })).split('\n');
    text = lines.pop();
    for (const line of lines) onEvent(JSON.parse(line));
  }
}

/** Connect once. Messages can go both ways; here they come. */
async function listen({ path, signal, onRequest, onEvent }) {
  onRequest();
  const websocket = openWebsocket(path);
  websocket.addEventListener('message', ({ data }) => onEvent(JSON.parse(data)));
  signal.addEventListener('abort', () => websocket.close());
  await new Promise((resolve) => websocket.addEventListener('close', resolve));
}

function sleep(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}

export const ways = [
  { id: 'polling', name: 'Polling', run: poll },
  { id: 'long-polling', name: 'Long polling', run: pollLong },
  { id: 'streaming', name: 'Streaming', run: stream },
  { id: 'websocket', name: 'WebSocket', run: listen },
];
