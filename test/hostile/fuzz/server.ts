/** The server that is fuzzed, in a process of its own (`node --expose-gc`). Tells its parent how it is, when asked. */
import { createServer, IncomingMessage, ServerResponse } from 'node:http';
import { Socket, type AddressInfo } from 'node:net';
import { queryObjects } from 'node:v8';
import { openWebsockets, Websocket } from 'dwebsocket';
import { WebSocket } from 'ws';
import { buildApp } from './routes.js';

/** How the server is when all clients but `clients` have gone. */
export interface Account {
  /** What should never be, in words: the first few, and how many. */
  faults: string[];
  sockets: number;
  websockets: number;
  /** Requests that have been collected and those that have not, of all that came. */
  requests: number;
  uncollected: number;
  /** Errors that reached the app's error handler: those that handlers throw on purpose. */
  errors: number;
  /** Listeners on the server and the process, by event. */
  listeners: Record<string, number>;
  /**
   * Objects that are alive, by class: what a timer, a socket or a request would be that nobody lets go. Of timers
   * `process.getActiveResourcesInfo()` tells only those that keep the process; these are all.
   */
  objects: Record<string, number>;
  /** Bytes of the heap and of buffers, after collections. */
  memory: number;
  rss: number;
}

declare const gc: () => void;

const faults: string[] = [];
let errors = 0;
let requests = 0;
let uncollected = 0;

const note = (kind: string) => (error: unknown) => {
  faults.push(`${kind}: ${error instanceof Error ? String(error.stack) : String(error)}`);
};
process.on('unhandledRejection', note('unhandledRejection'));
process.on('uncaughtException', note('uncaughtException'));
process.on('warning', (warning) => {
  if (warning.name === 'MaxListenersExceededWarning') note('leak of listeners')(warning);
});

const collected = new FinalizationRegistry(() => {
  uncollected--;
});
const app = buildApp(() => errors++, note('a message'));
const server = createServer((req, res) => {
  requests++;
  uncollected++;
  collected.register(req, undefined);
  app(req, res);
});
const sockets = new Set<Socket>();
server.on('connection', (socket) => {
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
});
server.on('clientError', (_error, socket) => {
  if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
  else socket.destroy();
});

/** What the parent asks for: an account, and before it a leak, to see that it is found. */
export interface Question {
  clients: number;
  leak?: keyof typeof LEAKS | undefined;
}

const LEAKS = {
  timer: () => void setTimeout(() => {}, 2 ** 30),
  'timer that keeps no process': () => void setTimeout(() => {}, 2 ** 30).unref(),
  'listener of the server': () => void server.on('request', () => {}),
};

process.on('message', ({ clients, leak }: Question) => {
  if (leak !== undefined) LEAKS[leak]();
  void giveAccount(clients).then((account) => process.send?.(account));
});
process.on('disconnect', () => process.exit());
server.listen(0, '0.0.0.0', 4_096, () => process.send?.((server.address() as AddressInfo).port));

async function giveAccount(clients: number): Promise<Account> {
  const deadline = performance.now() + 60_000;
  const wait = () => new Promise((resolve) => setTimeout(resolve, 20));
  while (sockets.size > clients && performance.now() < deadline) await wait();
  // Timers that end by themselves within a second: Node's, which forgets the date of responses, and that of a refusal.
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  // What a collection finds dead is reported behind it, and may free more.
  for (let i = 0; i < 10 || (i < 100 && uncollected > clients); i++) {
    gc();
    await wait();
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return {
    faults: [...faults.slice(0, 5), ...(faults.length > 5 ? [`and ${faults.length - 5} more`] : [])],
    sockets: sockets.size,
    websockets: openWebsockets(server).size,
    requests,
    uncollected,
    errors,
    listeners: { ...countListeners('server', server), ...countListeners('process', process) },
    objects: countObjects(),
    memory: heapUsed + external,
    rss,
  };
}

function countListeners(name: string, emitter: NodeJS.EventEmitter): Record<string, number> {
  return Object.fromEntries(
    emitter.eventNames().map((event) => [`${name} ${String(event)}`, emitter.listenerCount(event)]),
  );
}

function countObjects(): Record<string, number> {
  const { constructor: Timeout } = setTimeout(() => {}).unref();
  const classes = { IncomingMessage, ServerResponse, Socket, WebSocket, Websocket, Timeout, AbortController };
  return Object.fromEntries(
    Object.entries(classes).map(([name, one]) => [name, queryObjects(one, { format: 'count' })]),
  );
}
