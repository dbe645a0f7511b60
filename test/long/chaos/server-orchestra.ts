import { Way } from './network.js';
import { type DisturbedServer, Orchestra } from './orchestra.js';
import { Player } from './player-process.js';
import type { PlayerOptions } from './protocol.js';

export interface OneServer extends DisturbedServer {
  readonly port: number;
  readonly url: string;
  stop(): Promise<void>;
}

/** One server, and the processes that use it. */
export class ServerOrchestra extends Orchestra {
  readonly name: string;
  readonly server: OneServer;
  readonly players: readonly Player[];

  private constructor(name: string, server: OneServer, players: readonly Player[]) {
    super();
    this.name = name;
    this.server = server;
    this.players = players;
  }

  static async begin(
    name: string,
    server: OneServer,
    options: readonly Omit<PlayerOptions, 'url'>[],
    faults: string[],
  ): Promise<ServerOrchestra> {
    const ways = await Promise.all(options.map(() => Way.open(server.port)));
    const players = options.map((each, index) => {
      const way = ways[index]!;
      const url = server.url.replace(`:${server.port}`, `:${way.port}`);
      return new Player({ ...each, url }, faults, way);
    });
    await Promise.all(players.map((player) => player.ready()));
    return new ServerOrchestra(name, server, players);
  }

  override async end(): Promise<void> {
    await super.end();
    await this.server.stop();
  }
}
