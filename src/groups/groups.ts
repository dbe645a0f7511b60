import { EventEmitter } from 'node:events';
import { checkNames } from '../options/checks.js';
import { argumentError, describe, optionError } from '../shared/errors.js';
import { laterIfAwaited } from '../shared/later.js';
import { debug, warnOnce } from '../shared/notices.js';
import { now } from '../shared/real-timers.js';
import type { Backplane } from './backplane.js';
import { Channel, type ChannelHost } from './channel.js';
import { open, Stamper } from './envelope.js';
import { BackplaneError, reasonOf } from './errors.js';
import { createGroup, dismiss, type Group, type GroupHost, nextNumber, receive, type Sent } from './group.js';
import { HAD, UNKNOWN } from './receipts.js';

/** Options of {@link createGroups}. */
export interface GroupsOptions {
  /**
   * What connects the processes: `redisBackplane(client)`, `redisStreamBackplane(client, { maxLength })`, or one of your
   * own. Without it groups are those of this process.
   *
   * @default none
   */
  backplane?: Backplane | undefined;
}

/** What {@link Groups} tells, by the name of the event. */
export interface GroupsEvents {
  /** Other processes cannot be reached; groups go on in this one. Told once for each outage. */
  cutOff: [error: Error];
  /** Other processes are reached again; the outage took so many milliseconds. */
  back: [info: { after: number }];
  /** Messages of other processes to this group are lost; how many, when that is known. */
  missed: [info: { group: string; count: number | undefined }];
  /** Messages to this group that were kept (`'later'`) could not go out in the end. */
  dropped: [info: { group: string; count: number; error: Error }];
  /** A subscription failed and is tried again, or a stranger's message came; `error.group` names the group. */
  refused: [error: BackplaneError];
}

const TRUE: Promise<boolean> = Promise.resolve(true);
const FALSE: Promise<boolean> = Promise.resolve(false);

/**
 * Groups of websockets, by name.
 *
 * @example
 * const groups = createGroups();
 * app.get('/chat/:room', requireWebsocket(async (req) => {
 *   const room = groups.group(req.params.room);
 *   room.add(req.websocket);
 *   for await (const message of req.websocket) room.send(message, { except: req.websocket });
 * }));
 * @throws {WebsocketOptionError} An option of a wrong type, or an unknown one.
 */
export function createGroups(options: GroupsOptions = {}): Groups {
  const { backplane } = checkNames(options, ['backplane']);
  if (backplane !== undefined) checkBackplane(backplane);
  return new Groups(backplane);
}

/** See {@link createGroups}. An emitter of {@link GroupsEvents}. */
export class Groups extends EventEmitter<GroupsEvents> {
  readonly #backplane: Backplane | undefined;
  readonly #stamper = new Stamper();
  // A group lives as long as somebody holds it or it has members (who are held by `#filled`).
  readonly #groups = new Map<string, WeakRef<Group>>();
  readonly #collected = new FinalizationRegistry<string>((name) => {
    if (this.#groups.get(name)?.deref() === undefined) this.#groups.delete(name);
  });
  readonly #filled = new Set<Group>();
  readonly #channels = new Map<string, Channel>();
  readonly #groupHost: GroupHost;
  readonly #channelHost: ChannelHost | undefined;
  #cutOffSince: number | undefined;
  #closed: Promise<void> | undefined;

  /** @internal */
  constructor(backplane: Backplane | undefined) {
    super();
    this.#backplane = backplane;
    this.#groupHost = {
      filled: (group) => this.#fill(group),
      emptied: (group) => this.#empty(group),
      whenSubscribed: (group) => {
        if (backplane === undefined) return TRUE;
        return this.#channels.get(group.name)?.whenSubscribed() ?? FALSE;
      },
      sendMessage: (group, parcel, local) =>
        this.#publish(group, local, () =>
          this.#stamper.wrapMessage(nextNumber(group), parcel.bytes, parcel.binary),
        ),
      sendClose: (group, code, reason, local) =>
        this.#publish(group, local, () => this.#stamper.wrapClose(nextNumber(group), code, reason)),
    };
    if (backplane === undefined) return;
    this.#channelHost = {
      backplane,
      failed: (channel, error) => this.#subscriptionFailed(channel, error),
      ended: (channel) => this.#channels.delete(channel.name),
    };
    backplane.start({
      message: (channel, data) => this.#receive(channel, data),
      cutOff: (error) => this.#cutOff(error),
      back: () => this.#back(),
      missed: (group, count) => this.#missed(group, count),
      dropped: (group, count, error) => this.#dropped(group, count, error),
    });
  }

  /**
   * The group of a name. The same name gives the same group; one that is empty costs nothing and need not be
   * deleted.
   *
   * @throws {TypeError} The name is not a string.
   * @throws {RangeError} The name has half of a surrogate pair: no two processes could agree on its bytes.
   */
  group(name: string): Group {
    if (typeof name !== 'string') {
      throw argumentError(TypeError, `group() takes a name, a string; got ${describe(name)}`);
    }
    const known = this.#groups.get(name)?.deref();
    if (known !== undefined) return known;
    // As UTF-8 all such names would be the same one. A text that is cut by its length often ends like this.
    if (/\p{Surrogate}/u.test(name)) {
      throw argumentError(
        RangeError,
        `group() takes a name that is well-formed Unicode; ${JSON.stringify(name)} has half of a surrogate pair. ` +
          'Call name.toWellFormed(), or cut texts between characters: [...text].slice(0, 50).join("")',
      );
    }
    const group = createGroup(name, this.#groupHost);
    this.#groups.set(name, new WeakRef(group));
    this.#collected.register(group, name);
    return group;
  }

  /** Whether other processes cannot be reached now; for a health check. */
  isCutOff(): boolean {
    return this.#cutOffSince !== undefined;
  }

  /**
   * Ends it: members leave their groups and stay open, what has been sent goes out, and the backplane's connections
   * are closed (yours stays open). Never rejects. Afterwards groups work in this process only.
   */
  close(): Promise<void> {
    return (this.#closed ??= this.#end());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #end(): Promise<void> {
    for (const group of this.#filled) dismiss(group);
    try {
      await this.#backplane?.close();
    } catch (error) {
      debug('the backplane failed to close: %o', error);
    }
  }

  #fill(group: Group): void {
    this.#filled.add(group);
    if (this.#channelHost === undefined || this.#closed !== undefined) return;
    let channel = this.#channels.get(group.name);
    if (channel === undefined) {
      this.#channels.set(group.name, (channel = new Channel(group.name, this.#channelHost)));
    }
    channel.want(true);
  }

  #empty(group: Group): void {
    this.#filled.delete(group);
    this.#channels.get(group.name)?.want(false);
  }

  #publish(group: Group, local: number, wrap: () => Buffer): PromiseLike<Sent> {
    const fail = (error: unknown): Sent => ({
      local,
      backplane: false,
      error: error instanceof Error ? error : new Error(String(error)),
    });
    // On a later turn: a loop around send() must leave the others alive.
    if (this.#backplane === undefined) return laterIfAwaited({ local, backplane: null, error: null });
    if (this.#closed !== undefined) return laterIfAwaited(fail(closedError(group.name)));
    let result: PromiseLike<unknown>;
    try {
      result = this.#backplane.publish(group.name, wrap());
    } catch (error) {
      return laterIfAwaited(fail(error));
    }
    const succeed = (taken: unknown): Sent => ({
      local,
      backplane: taken === 'later' ? 'later' : true,
      error: null,
    });
    return Promise.resolve(result).then(succeed, fail);
  }

  /** Called by the backplane; in the event handlers of a network client nothing may throw. */
  #receive(name: string, data: Buffer): void {
    const channel = this.#channels.get(name);
    if (channel?.wanted !== true) return;
    const envelope = open(data);
    if (typeof envelope === 'string') {
      this.#refuseStranger(name, envelope);
      return;
    }
    if (envelope.origin === this.#stamper.origin) return;
    const lost = channel.receipts.accept(envelope);
    if (lost === HAD) return;
    if (lost > 0) this.#tellMissed(name, lost === UNKNOWN ? undefined : lost);
    const group = this.#groups.get(name)?.deref();
    if (group !== undefined) receive(group, envelope);
  }

  #refuseStranger(group: string, reason: string): void {
    const error = new BackplaneError(
      'ERR_WEBSOCKET_BACKPLANE_STRANGER',
      `a message on the channel of group ${JSON.stringify(group)} was refused: ${reason}. ` +
        'Give each app a prefix of its own: redisBackplane(client, { prefix })',
      { group },
    );
    debug('%s', error.message);
    this.#tell('refused', error, error.message);
  }

  #subscriptionFailed(channel: Channel, cause: unknown): void {
    // While the network is away this is no news.
    if (this.isCutOff() || this.#closed !== undefined) return;
    const error = new BackplaneError(
      'ERR_WEBSOCKET_BACKPLANE_REFUSED',
      `group ${JSON.stringify(channel.name)} does not get the messages of other processes: ${reasonOf(cause)}; ` +
        'it is tried again',
      { group: channel.name, cause },
    );
    debug('%s', error.message);
    this.#tell('refused', error, error.message);
  }

  #cutOff(error: Error): void {
    if (this.#cutOffSince !== undefined || this.#closed !== undefined) return;
    this.#cutOffSince = now();
    debug('cut off: %s', error.message);
    this.#tell('cutOff', error, error.message);
  }

  #back(): void {
    if (this.#cutOffSince === undefined) return;
    const after = now() - this.#cutOffSince;
    this.#cutOffSince = undefined;
    debug('back after %d ms', after);
    for (const channel of this.#channels.values()) channel.retryNow();
    this.#tell('back', { after });
  }

  /** The backplane knows of a loss; the holes that it leaves are told with it. */
  #missed(group: string, count: number | undefined): void {
    this.#channels.get(group)?.receipts.excuse();
    this.#tellMissed(group, count);
  }

  #tellMissed(group: string, count: number | undefined): void {
    const text = `${count ?? 'some'} messages of other processes to group ${JSON.stringify(group)} are lost`;
    debug('%s', text);
    this.#tell('missed', { group, count }, text);
  }

  #dropped(group: string, count: number, error: Error): void {
    const text = `${count} messages to group ${JSON.stringify(group)} have not left this process: ${error.message}`;
    debug('%s', text);
    this.#tell('dropped', { group, count, error }, text);
  }

  /**
   * Emits an event, and says `unheard` to the process once when nobody listens for it. On a turn of its own: a listener
   * that throws must not do so inside a network client's event, and those that are added right after `createGroups` hear
   * of what was so from the start.
   */
  #tell<Name extends keyof GroupsEvents>(name: Name, fact: GroupsEvents[Name][0], unheard?: string): void {
    process.nextTick(() => {
      const isHeard = (this as EventEmitter).emit(name, fact);
      if (isHeard || unheard === undefined) return;
      const text = `${unheard}; to deal with it say groups.on('${name}', …)`;
      warnOnce(this, `WEBSOCKET_GROUPS_${name.toUpperCase()}`, text);
    });
  }
}

function closedError(group: string): BackplaneError {
  return new BackplaneError(
    'ERR_WEBSOCKET_BACKPLANE_CLOSED',
    'groups.close() has been called: what is sent stays in this process',
    { group },
  );
}

const METHODS = ['start', 'publish', 'subscribe', 'unsubscribe', 'close'] as const;

function checkBackplane(value: unknown): asserts value is Backplane {
  const methods = value as Partial<Record<(typeof METHODS)[number], unknown>> | null;
  const missing = METHODS.filter((name) => typeof methods?.[name] !== 'function');
  if (missing.length === 0) return;
  const looksLikeClient = missing.length < METHODS.length && missing.includes('start');
  const cure = looksLikeClient ? '; is it a Redis client? Then say redisBackplane(client)' : '';
  throw optionError(
    TypeError,
    'backplane',
    `a backplane, with the methods ${METHODS.join(', ')}${cure}, and it lacks ${missing.join(', ')}`,
    value,
  );
}
