import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import express from 'express';

/** The names that code may use without importing them; each document says so once, where it makes use of it. */
export const IMPORTED = {
  express: ['express'],
  dwebsocket: ['acceptWebsocket', 'requireWebsocket', 'websocketMiddleware', 'Websocket'],
} as const;

/**
 * What the reader of a piece of code has around it: an app, and functions of the reader's own. Code in a document may
 * use these names; whatever else it uses it must declare or import.
 */
export function createReader(logFile = 'app.log') {
  const photos: Buffer[] = [];
  return {
    app: express(),
    logFile,
    /** Some figures that change all the time. */
    reading: () => ({ temperature: 20 }),
    /** Whether somebody has logged in: the reader's own check. */
    isLoggedIn: (req: IncomingMessage) => req.headers.cookie?.startsWith('user=') === true,
    /** Does what an order says. */
    place: async (order: string | Buffer) => Promise.resolve(`placed: ${order.toString()}`),
    /** A part of some longer work. */
    importPart: async (part: number) => Promise.resolve(part),
    photos,
    savePhoto: async (photo: Buffer) => Promise.resolve(void photos.push(photo)),
    /** Events inside of the process. */
    prices: new EventEmitter(),
    /** A client of a message broker. */
    broker: createBroker(),
  };
}

/** Takes a function for each channel, as the clients of Redis, MQTT and Kafka do. */
function createBroker() {
  const channels = new EventEmitter();
  return {
    channels,
    subscribe: async (channel: string, forward: (message: string) => unknown) =>
      Promise.resolve(void channels.on(channel, forward)),
    unsubscribe: async (channel: string, forward: (message: string) => unknown) =>
      Promise.resolve(void channels.off(channel, forward)),
  };
}
