import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DisturbedServer, Orchestra, until } from './orchestra.js';
import { Player } from './player-process.js';
import type { PlayerOptions } from './protocol.js';

/** Processes that are never killed, so that they report. */
const IMMORTAL = 2;

/** Processes that share a socket. One of them is the hub, and takes the place of a server. */
export class LocalOrchestra extends Orchestra {
  readonly name = 'the hub';
  readonly path: string;
  players: Player[];
  readonly server: DisturbedServer = {
    kill: () => this.#killHub(),
    begin: () => this.#replaceKilled(),
    freeze: () => this.#freezeHub(),
    thaw: () => {
      for (const player of this.players) player.signal('SIGCONT');
    },
  };
  readonly #folder: string;
  readonly #options: Omit<PlayerOptions, 'url' | 'index'>;
  readonly #faults: string[];
  #nextIndex: number;

  private constructor(
    folder: string,
    count: number,
    options: Omit<PlayerOptions, 'url' | 'index'>,
    faults: string[],
  ) {
    super();
    this.#folder = folder;
    this.path = join(folder, 'groups');
    this.#options = options;
    this.#faults = faults;
    this.#nextIndex = count;
    this.players = Array.from({ length: count }, (_, index) => this.#open(index));
  }

  static async begin(
    count: number,
    options: Omit<PlayerOptions, 'url' | 'index'>,
    faults: string[],
  ): Promise<LocalOrchestra> {
    const folder = await mkdtemp(join(tmpdir(), 'dwebsocket-chaos-'));
    const orchestra = new LocalOrchestra(folder, count, options, faults);
    await Promise.all(orchestra.players.map((player) => player.ready()));
    return orchestra;
  }

  /** Returns the process that is the hub now. */
  async findHub(): Promise<Player> {
    let hub: Player | undefined;
    await until('hub', 15_000, () => {
      const sockets = listeningSockets(this.path);
      hub = this.players.find(({ pid }) => socketsOf(pid).some((socket) => sockets.has(socket)));
      return hub !== undefined;
    });
    return hub!;
  }

  override async end(): Promise<void> {
    await super.end();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #open(index: number): Player {
    return new Player({ ...this.#options, index, url: this.path }, this.#faults);
  }

  /** Kills the hub, when a process has become the hub that may be killed. Others close it before, and it moves on. */
  async #killHub(): Promise<void> {
    let hub = await this.findHub();
    while (hub.index < IMMORTAL) {
      await hub.tell({ do: 'reopen' });
      hub = await this.findHub();
    }
    await hub.kill();
    this.players = this.players.filter((player) => player !== hub);
  }

  async #replaceKilled(): Promise<void> {
    const player = this.#open(this.#nextIndex++);
    await player.ready();
    await player.tell({ do: 'start' });
    this.players.push(player);
  }

  #freezeHub(): void {
    const sockets = listeningSockets(this.path);
    for (const player of this.players)
      if (socketsOf(player.pid).some((socket) => sockets.has(socket))) player.signal('SIGSTOP');
  }
}

/** Returns the inodes of sockets that listen at a path. Each has been bound in a folder beside it. */
function listeningSockets(path: string): Set<string> {
  const lines = readFileSync('/proc/net/unix', 'utf8').split('\n');
  const fields = lines.map((line) => line.trim().split(/ +/));
  const listening = fields.filter(
    ([, , , flags, , , , name]) => flags === '00010000' && name?.startsWith(`${path}.`),
  );
  return new Set(listening.map(([, , , , , , inode]) => `socket:[${inode}]`));
}

function socketsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).flatMap((fd) => {
      try {
        return [readlinkSync(join(folder, fd))];
      } catch {
        return []; // closed meanwhile
      }
    });
  } catch {
    return []; // ended meanwhile
  }
}
