// Four ways to be up to date. Each takes a path and options, calls `onRequest` when it asks, and `onEvent` for events.
import { openWebsocket } from '/tour.js';

/** Asks again and again. */
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

/** Asks, waits until the server answers with events, and asks again. */
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

/** Asks once, and reads an answer without an end: one line for each event. */
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

/** Connects once, and receives messages. The page could send messages, too. */
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
