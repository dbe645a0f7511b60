import type { Server } from 'dwebsocket';
import type { Express } from 'express';
import { expect } from 'vitest';
import type { WebSocket } from 'ws';
import { connect } from '../../support/client.js';
import type { Site } from '../../support/serve.js';

/** Describes another library that upgrades connections on a server. */
export interface Neighbour {
  readonly name: string;
  /** How it handles a request that is not its own. */
  readonly strangers: 'leaves' | 'refuses' | 'takes';
  /** Adds it to a server, and also to the app of that server if it is middleware. */
  join(server: Server, app: Express): Promise<Guest>;
}

/** Stands for a library on a server. The end of the test removes it. */
export interface Guest {
  /** Connects a client of the library, which sends a message, gets an answer, and leaves. */
  visit(site: Site): Promise<void>;
  /** Fails if the library has seen anything except the visits of its own clients. */
  expectUndisturbed(): void;
}

/** Creates a guest that answers its clients on one path with its name, and counts their requests. */
export class CountingGuest implements Guest {
  readonly #path: string;
  #visits = 0;
  #connections = 0;
  #errors = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Handles the websockets that reach the library. */
  readonly welcome = (ws: WebSocket): void => {
    this.#connections++;
    ws.on('error', () => this.#errors++);
    ws.on('message', (data: Buffer) => ws.send(`theirs: ${data.toString()}`));
  };

  async visit(site: Site): Promise<void> {
    this.#visits++;
    const client = await connect(site, this.#path);
    client.send('hello');
    expect(await client.next()).toBe('theirs: hello');
    await client.close();
  }

  expectUndisturbed(): void {
    expect({ connections: this.#connections, errors: this.#errors }).toEqual({
      connections: this.#visits,
      errors: 0,
    });
  }
}
