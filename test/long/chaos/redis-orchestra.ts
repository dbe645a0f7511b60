import { RedisServer } from '../../groups/support/redis-server.js';
import { Way } from './network.js';
import { Orchestra, until } from './orchestra.js';
import { Player } from './player-process.js';
import type { PlayerOptions } from './protocol.js';

const SERVER = ['--appendonly', 'yes', '--appendfsync', 'always', '--repl-diskless-sync-delay', '0'];

/** A master and its replica, and the processes that use them. */
export class RedisOrchestra extends Orchestra {
  readonly name = 'Redis';
  server: RedisServer;
  replica: RedisServer;
  readonly players: readonly Player[];

  constructor(master: RedisServer, replica: RedisServer, players: readonly Player[]) {
    super();
    this.server = master;
    this.replica = replica;
    this.players = players;
  }

  static async begin(
    options: readonly Omit<PlayerOptions, 'url'>[],
    faults: string[],
  ): Promise<RedisOrchestra> {
    const [master, replica] = [await RedisServer.start(SERVER), await RedisServer.start(SERVER)];
    const ways = await Promise.all(options.map(() => Way.open(master.port)));
    const players = options.map((each, index) => {
      const way = ways[index]!;
      return new Player({ ...each, url: `redis://127.0.0.1:${way.port}` }, faults, way);
    });
    const orchestra = new RedisOrchestra(master, replica, players);
    replica.cli('REPLICAOF', '127.0.0.1', String(master.port));
    await orchestra.untilReplicated();
    await Promise.all(players.map((player) => player.ready()));
    return orchestra;
  }

  async untilReplicated(): Promise<void> {
    await until('replication', 30_000, () =>
      this.replica.cli('INFO', 'replication').includes('master_link_status:up'),
    );
  }

  /** New connections lead to the other server from now on. */
  swap(): void {
    [this.server, this.replica] = [this.replica, this.server];
    for (const { way } of this.players) way.target = this.server.port;
  }

  override async untilCrowdIsGone(): Promise<void> {
    const channels = (): number =>
      this.server.cli('PUBSUB', 'CHANNELS', '*:group:crowd*').split('\n').filter(Boolean).length;
    await until('end of the subscriptions', 15_000, () => channels() === 0);
  }

  override async end(): Promise<void> {
    await super.end();
    await Promise.all([this.server.stop(), this.replica.stop()]);
  }
}
