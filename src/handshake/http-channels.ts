import { channel } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { serverOf } from '../internals/node.js';

// Node publishes on these channels for ordinary requests, but not for upgrades. Tracers and error trackers, such as
// Sentry, use them to begin and isolate a request (Node's documentation, diagnostics_channel, HTTP).
const onStart = channel('http.server.request.start');
const onCreated = channel('http.server.response.created');
const onFinish = channel('http.server.response.finish');

/** Publishes the messages that Node publishes before it emits 'request'. */
export function publishStart(server: object, request: IncomingMessage, response: ServerResponse): void {
  if (onCreated.hasSubscribers) onCreated.publish({ request, response });
  if (onStart.hasSubscribers) onStart.publish({ request, response, socket: request.socket, server });
}

/** Publishes the message that Node publishes when a response has finished. */
export function publishFinish(response: ServerResponse): void {
  if (!onFinish.hasSubscribers) return;
  const request = response.req;
  const { socket } = request;
  onFinish.publish({ request, response, socket, server: serverOf(socket) });
}
