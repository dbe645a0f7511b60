import { Agent, get } from 'node:http';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';
import type { StreamEvent } from './event-stream.js';

/** The task of a client: the URL, the polling interval in milliseconds, when to stop, and a callback for events. */
export interface Task {
  url: URL;
  interval: number;
  signal: AbortSignal;
  onEvent: (event: StreamEvent) => void;
}

// The headers that Chromium sends with fetch and with a WebSocket. They are most of the cost of polling.
const agent =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
const languages = { 'Accept-Encoding': 'gzip, deflate, br, zstd', 'Accept-Language': 'en-US,en;q=0.9' };
const fetchHeaders = (url: URL) => ({
  'sec-ch-ua-platform': '"Linux"',
  'User-Agent': agent,
  'sec-ch-ua': '"Chromium";v="140", "Not=A?Brand";v="24"',
  'sec-ch-ua-mobile': '?0',
  Accept: '*/*',
  'Sec-Fetch-Site': 'same-origin',
  'Sec-Fetch-Mode': 'cors',
  'Sec-Fetch-Dest': 'empty',
  Referer: `${url.origin}/compare/`,
  ...languages,
});
const websocketHeaders = {
  Pragma: 'no-cache',
  'Cache-Control': 'no-cache',
  'User-Agent': agent,
  ...languages,
};

/** The four clients. Like a browser, each keeps one connection open as long as it can. */
export const clients = {
  polling: (task: Task) => ask(task, task.interval),
  'long-polling': (task: Task) => ask(task, 0),
  streaming: stream,
  websocket: listen,
};

export type Way = keyof typeof clients;

async function ask({ url, signal, onEvent }: Task, pause: number): Promise<void> {
  const connection = new Agent({ keepAlive: true, maxSockets: 1 });
  const next = new URL(url);
  while (!signal.aborted) {
    let text = '';
    for await (const chunk of await open(next, connection, signal)) text += String(chunk);
    for (const event of JSON.parse(text) as StreamEvent[]) {
      next.searchParams.set('after', String(event.id));
      onEvent(event);
    }
    if (pause > 0) await sleep(pause, undefined, { signal });
  }
}

async function stream({ url, signal, onEvent }: Task): Promise<void> {
  const answer = await open(url, new Agent(), signal);
  for await (const line of createInterface(answer)) onEvent(JSON.parse(line) as StreamEvent);
}

async function listen({ url, signal, onEvent }: Task): Promise<void> {
  const websocket = new WebSocket(url, { origin: url.origin, headers: websocketHeaders });
  websocket.on('message', (data: Buffer) => onEvent(JSON.parse(data.toString()) as StreamEvent));
  signal.addEventListener('abort', () => websocket.terminate(), { once: true });
  await new Promise((resolve, reject) => websocket.on('close', resolve).on('error', reject));
}

function open(url: URL, agent: Agent, signal: AbortSignal) {
  return new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
    get(url, { agent, signal, headers: fetchHeaders(url) }, resolve).on('error', reject);
  });
}
