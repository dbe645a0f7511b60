import { pause } from './pause.js';
import type { SetBack } from './judge.js';
import type { Player } from './player-process.js';

/** A server that can be disturbed. */
export interface DisturbedServer {
  kill(): Promise<void>;
  begin(): Promise<void>;
  freeze(): void;
  thaw(): void;
}

/** The processes of a chaos run, and the server that they use. */
export abstract class Orchestra {
  abstract readonly server: DisturbedServer;
  abstract readonly players: readonly Player[];
  /** Of the server, for texts. */
  abstract readonly name: string;
  readonly setBacks: SetBack[] = [];

  /** Resolves when no process is cut off any more, with the milliseconds that it took. */
  async untilBack(deadline: number): Promise<number> {
    const start = performance.now();
    let cutOff: string[] = [];
    await until('end of the outage', deadline, async () => {
      const all = await Promise.all(this.players.map((player) => player.status()));
      cutOff = all.flatMap((status, index) =>
        status.cutOff.map((kind) => `${kind} of process ${this.players[index]!.index}`),
      );
      return cutOff.length === 0;
    }).catch(() => {
      throw new Error(`still cut off after ${deadline} ms: ${cutOff.join(', ')}`);
    });
    return performance.now() - start;
  }

  /** Resolves when the server knows no group of a crowd any more, if that can be seen. */
  async untilCrowdIsGone(): Promise<void> {}

  async end(): Promise<void> {
    await Promise.all(this.players.map((player) => player.end()));
  }
}

export async function until(
  what: string,
  deadline: number,
  isSo: () => boolean | Promise<boolean>,
): Promise<void> {
  const end = performance.now() + deadline;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`no ${what} within ${deadline} ms`);
    await pause(50);
  }
}
