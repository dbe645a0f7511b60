import type { BackplaneError, Groups } from 'dwebsocket/groups';
import { Inbox } from '../../support/inbox.js';

/** What groups tell of outages, for a test to wait for. */
export class RecordedEvents {
  readonly #cutOffs = new Inbox<BackplaneError>();
  readonly #backs = new Inbox<{ after: number }>();
  readonly missed: { group: string; count: number | undefined }[] = [];
  readonly refused = new Inbox<BackplaneError>();

  constructor(groups: Groups) {
    groups.on('cutOff', (error) => this.#cutOffs.push(error as BackplaneError));
    groups.on('back', (info) => this.#backs.push(info));
    groups.on('missed', (info) => this.missed.push(info));
    groups.on('refused', (error) => this.refused.push(error));
  }

  /** The error of the next outage. */
  cutOff(deadline?: number): Promise<BackplaneError> {
    return this.#cutOffs.next('cutOff', deadline);
  }

  back(deadline?: number): Promise<{ after: number }> {
    return this.#backs.next('back', deadline);
  }
}
