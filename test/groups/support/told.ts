import type { BackplaneError, Groups } from 'dwebsocket/groups';
import { Inbox, within } from '../../support/inbox.js';

/** What groups tell of outages, for a test to wait for. */
export class Told {
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
  cutOff(): Promise<BackplaneError> {
    return within(this.#cutOffs.next('cutOff'), 'cutOff', 15_000);
  }

  back(): Promise<{ after: number }> {
    return within(this.#backs.next('back'), 'back', 15_000);
  }
}
