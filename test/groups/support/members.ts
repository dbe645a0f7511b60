import type { Member } from 'dwebsocket/groups';
import { Inbox } from '../../support/inbox.js';

/** A member that is not a websocket. It records its messages. */
export class FakeMember implements Member {
  readonly got: (string | Buffer)[] = [];
  readonly inbox = new Inbox<string | Buffer>();
  readonly closes: [code: number | undefined, reason: string | undefined][] = [];
  leave!: () => void;
  readonly closed = new Promise<void>((resolve) => (this.leave = resolve));

  send(message: string | Buffer): void {
    this.got.push(message);
    this.inbox.push(message);
  }

  close(code?: number, reason?: string): void {
    this.closes.push([code, reason]);
    this.leave();
  }
}
