import type { HistoryStart } from 'dwebsocket/groups';
import { within } from '../../../support/inbox.js';
import { FakeMember } from '../../support/members.js';

/** A member that records the ids of its messages, and where it began. */
export class Listener extends FakeMember {
  readonly ids: string[] = [];
  readonly starts: HistoryStart[] = [];
  #arrived: (() => void) | undefined;

  override send(message: string | Buffer, options?: { id?: string }): void {
    if (options?.id !== undefined) this.ids.push(options.id);
    super.send(message);
    this.#arrived?.();
  }

  readonly welcome = (start: HistoryStart): string => {
    this.starts.push(start);
    return `welcome ${start.complete}`;
  };

  /** Resolves when this many messages have arrived. */
  async until(count: number): Promise<void> {
    while (this.got.length < count)
      await within(new Promise<void>((resolve) => (this.#arrived = resolve)), `message ${this.got.length}`);
  }
}

export const textsOf = (listener: Listener): string[] => listener.got.map(String);
