import { subscribe } from 'node:diagnostics_channel';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Diagnostics, Websocket } from 'dwebsocket';

/** Counts the websockets of this process and their messages in a registry. Call it once. */
export function countWebsockets(registry: Registry): void {
  const registers = [registry];
  const open = new Gauge({ name: 'websockets_open', help: 'Open now', registers });
  const refused = new Counter({
    name: 'websocket_handshakes_refused_total',
    help: 'Handshakes that got a status instead of a 101',
    labelNames: ['status'],
    registers,
  });
  const messages = new Counter({
    name: 'websocket_messages_total',
    help: 'Messages received and sent',
    labelNames: ['direction'],
    registers,
  });
  const bytes = new Counter({
    name: 'websocket_bytes_total',
    help: 'Bytes of the messages received and sent',
    labelNames: ['direction'],
    registers,
  });
  const failed = new Counter({ name: 'websocket_handler_errors_total', help: 'Failed handlers', registers });
  const lifetime = new Histogram({
    name: 'websocket_duration_seconds',
    help: 'How long websockets were open, by the code they closed with',
    labelNames: ['code'],
    buckets: [1, 10, 60, 600, 3_600, 86_400],
    registers,
  });
  const opened = new WeakMap<Websocket, number>();

  on('dwebsocket.open', ({ websocket }) => {
    open.inc();
    opened.set(websocket, performance.now());
  });
  on('dwebsocket.refused', ({ status }) => refused.inc({ status }));
  on('dwebsocket.receive', (message) => {
    messages.inc({ direction: 'in' });
    bytes.inc({ direction: 'in' }, message.bytes);
  });
  on('dwebsocket.send', (message) => {
    messages.inc({ direction: 'out' });
    bytes.inc({ direction: 'out' }, message.bytes);
  });
  on('dwebsocket.error', () => failed.inc());
  on('dwebsocket.close', ({ websocket, code }) => {
    const since = opened.get(websocket);
    // It was opened before this function was called.
    if (since === undefined) return;
    open.dec();
    // A client can choose any code from 3000 to 4999, and each value is a time series.
    lifetime.observe({ code: code < 3_000 ? code : 'other' }, (performance.now() - since) / 1_000);
  });
}

function on<Name extends keyof Diagnostics>(name: Name, listen: (message: Diagnostics[Name]) => void): void {
  subscribe(name, (message) => listen(message as Diagnostics[Name]));
}
