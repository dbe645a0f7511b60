import type { Server } from 'dwebsocket';
import type { Express } from 'express';
import { expect } from 'vitest';
import type { WebSocket } from 'ws';
import { connect } from '../../support/client.js';
import type { Site } from '../../support/serve.js';

/** Another library that upgrades connections on a server. */
export interface Neighbour {
  readonly name: string;
  /** What it does with a request that is not its own. */
  readonly strangers: 'leaves' | 'refuses' | 'takes';
  /** Puts it on a server, and on the app behind that server where it is middleware, too. */
  join(server: Server, app: Express): Promise<Guest>;
}

/** A neighbour on a server; it leaves with the test. */
export interface Guest {
  /** A client of its own connects, talks, is answered, and leaves. */
  visit(site: Site): Promise<void>;
  /** Fails when the neighbour has noticed anything but the visits of its own clients. */
  expectUndisturbed(): void;
}

/** A guest that answers its clients on one path with its name, and counts what reaches it. */
export class CountingGuest implements Guest {
  readonly #path: string;
  #visits = 0;
  #connections = 0;
  #errors = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** For the websockets that reach the neighbour. */
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
