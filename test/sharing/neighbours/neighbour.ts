import type { Server } from 'dwebsocket';
import type { Express } from 'express';
import type { Site } from '../../support/serve.js';

/** Another library that upgrades connections on a server. */
export interface Neighbour {
  readonly name: string;
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
