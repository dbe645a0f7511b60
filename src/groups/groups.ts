import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { checkNames } from '../options/checks.js';
import { checkSchema } from '../options/schema.js';
import { argumentError, describe, optionError } from '../shared/errors.js';
import { laterIfAwaited } from '../shared/later.js';
import { debug, warnOnce } from '../shared/notices.js';
import { now } from '../shared/real-timers.js';
import type { SchemaInput, StandardSchema } from '../shared/standard-schema.js';
import { Codec } from '../values/codec.js';
import type { Data } from '../websocket/frame.js';
import type { Backplane } from './backplane.js';
import { Channel, type ChannelHost } from './channel.js';
import { EnvelopeWriter, readEnvelope } from './envelope.js';
import { BackplaneError, reasonOf } from './errors.js';
import {
  closeAfterLoss,
  createGroup,
  historyOf,
  removeMembers,
  type AnyGroup,
  type Group,
  type GroupHost,
  nextNumber,
  receive,
  type Sent,
} from './group.js';
import { GroupMessage } from './group-message.js';
import { publishArrival, sendTime } from './lag.js';
import { isPeopleChannel, PEOPLE_CHANNEL } from './people/channels.js';
import { People } from './people/people.js';
import type { Filter } from './history/exclusions.js';
import { GroupHistory } from './history/group-history.js';
import type { HistoryHost } from './history/host.js';
import { type HistoryOptions, type HistorySettings, resolveHistoryOptions } from './history/options.js';
import type { BackplaneHistory } from './history/kept.js';
import type { Position } from './history/position.js';
import { toMessage } from './history/read-page.js';
import { createStamper } from './history/stamp.js';
import { HistoryStore } from './history/store.js';
import { DUPLICATE, UNKNOWN_COUNT } from './sequence-tracker.js';

/** Lists the options of {@link createGroups}. */
export interface GroupsOptions {
  /**
   * Connects the processes: `redisBackplane(client)`, `redisStreamBackplane(client, { maxLength })`, or your own. Without a
   * backplane, groups stay within this process.
   *
   * @default none
   */
  backplane?: Backplane | undefined;
  /**
   * Lets each group keep its last messages, so that a client that comes back can get what it has missed. Without a backplane,
   * they are in the memory of this process. With `redisStreamBackplane` they are in Redis. Other backplanes cannot keep them.
   * All processes need the same settings.
   *
   * @default none (groups keep no messages)
   */
  history?: HistoryOptions | undefined;
}

/** Lists the options of {@link createGroups} for groups that send values. One of `messages` and `sends` is enough. */
export interface ValueGroupsOptions<Sends extends StandardSchema = StandardSchema> extends GroupsOptions {
  /**
   * Lets `group.send` encode any value as JSON, a string too. Bytes stay a binary message.
   *
   * @default none (`group.send` takes text and bytes)
   */
  messages?: 'json' | undefined;
  /**
   * Sets the type of the values that `group.send` takes, with a schema of zod, valibot, arktype or another library that
   * implements Standard Schema. `group.send` checks each value, and throws a `WebsocketArgumentError` with its `issues` for one
   * that does not fit. It does not check if `NODE_ENV` is `production` when the groups are created. The value is sent as it
   * is, without defaults and transforms. Bytes are sent without a check. The schema must answer without a promise.
   *
   * @default none (any value that JSON can represent)
   */
  sends?: Sends | undefined;
}

/** Maps each event of {@link Groups} to its arguments. */
export interface GroupsEvents {
  /** Other processes are not reachable; groups still work in this process. Emitted once for each outage. */
  cutOff: [error: Error];
  /** Other processes are reachable again. `after` is the length of the outage in milliseconds. */
  back: [info: { after: number }];
  /** Messages of other processes to this group are lost; `count` is `undefined` if their number is unknown. */
  missed: [info: { group: string; count: number | undefined }];
  /** Kept messages to this group (`'later'`) could not be sent after all. */
  dropped: [info: { group: string; count: number; error: Error }];
  /** A subscription failed and will be retried, or a message of another program arrived. `error.group` names the group. */
  refused: [error: BackplaneError];
}

const TRUE: Promise<boolean> = Promise.resolve(true);
const FALSE: Promise<boolean> = Promise.resolve(false);

/**
 * Creates groups of websockets, which you look up by name.
 *
 * @example
 * const groups = createGroups();
 * app.get('/chat/:room', requireWebsocket(async (req) => {
 *   const room = groups.group(req.params.room);
 *   room.add(req.websocket);
 *   for await (const message of req.websocket) room.send(message, { except: req.websocket });
 * }));
 * @throws {WebsocketOptionError} An option has a wrong type or an unknown name.
 */
export function createGroups<Sends extends StandardSchema = StandardSchema>(
  options: ValueGroupsOptions<Sends> & ({ messages: 'json' } | { sends: Sends }),
): Groups<SchemaInput<Sends>>;
export function createGroups(options?: GroupsOptions): Groups;
export function createGroups(options: ValueGroupsOptions = {}): Groups<unknown> {
  const names = ['backplane', 'messages', 'sends', 'history'];
  const { backplane, messages, sends, history } = checkNames(options, names);
  if (backplane !== undefined) checkBackplane(backplane);
  const settings = history === undefined ? undefined : resolveHistoryOptions(history);
  if (sends !== undefined) checkSchema(sends, 'sends');
  if (messages !== undefined && messages !== 'json')
    throw optionError(
      TypeError,
      'messages',
      "'json'; to check what groups send, give the schema as sends",
      messages,
    );
  const hasValues = messages !== undefined || sends !== undefined;
  if (settings !== undefined && backplane !== undefined) keepHistory(backplane, settings);
  return new Groups(backplane, hasValues ? new Codec('json', sends) : undefined, settings);
}

/** Holds groups by name, and emits {@link GroupsEvents}. Create it with {@link createGroups}. */
export class Groups<Out = Data> extends EventEmitter<GroupsEvents> {
  readonly #backplane: Backplane | undefined;
  readonly #writer = new EnvelopeWriter();
  // A group may be collected once nothing else refers to it. `#filled` refers to groups with members.
  readonly #groups = new Map<string, WeakRef<AnyGroup>>();
  readonly #collected = new FinalizationRegistry<string>((name) => {
    if (this.#groups.get(name)?.deref() === undefined) this.#groups.delete(name);
  });
  readonly #filled = new Set<AnyGroup>();
  readonly #channels = new Map<string, Channel>();
  readonly #groupHost: GroupHost;
  readonly #channelHost: ChannelHost | undefined;
  #people: People | undefined;
  readonly #historyStore: HistoryStore | undefined;
  #cutOffSince: number | undefined;
  #closed: Promise<void> | undefined;

  /** @internal */
  constructor(
    backplane: Backplane | undefined,
    codec: Codec | undefined,
    historySettings: HistorySettings | undefined,
  ) {
    super();
    this.#backplane = backplane;
    const historyHost =
      historySettings === undefined
        ? undefined
        : createHistoryHost(historySettings, codec, this.#writer, () =>
            this.#closed === undefined ? backplane?.history : undefined,
          );
    this.#historyStore = historyHost?.store;
    this.#groupHost = {
      filled: (group) => this.#groupFilled(group),
      emptied: (group) => this.#groupEmptied(group),
      whenSubscribed: (group) => {
        if (backplane === undefined) return TRUE;
        return this.#channels.get(group.name)?.whenSubscribed() ?? FALSE;
      },
      isSubscribed: (group) => this.#channels.get(group.name)?.isSubscribed === true,
      untilSubscribed: (group) => this.#channels.get(group.name)?.untilSubscribed() ?? FALSE,
      learn: (group, earlier) => {
        this.#channels.get(group.name)?.sequences.learn(earlier);
      },
      createHistory: (group) =>
        historyHost === undefined ? undefined : new GroupHistory(group, historyHost),
      sendKept: (...message) => this.#sendKept(...message),
      decode: (data) => (codec !== undefined && typeof data === 'string' ? parse(data) : data),
      createMessage:
        codec === undefined
          ? (data, binary) => new GroupMessage(data as Data, binary)
          : (value, binary) => new GroupMessage(codec.encode(value), binary),
      sendMessage: (group, groupMessage, local) =>
        this.#publish(group, local, () => this.#wrap(group, groupMessage)),
      sendClose: (group, code, reason, local) =>
        this.#publish(group, local, () => this.#writer.wrapClose(nextNumber(group), code, reason)),
      createPeople: (group) => (this.#people ??= this.#createPeople()).create(group.name, group),
    };
    if (backplane === undefined) return;
    this.#channelHost = {
      backplane,
      failed: (channel, error) => this.#subscriptionFailed(channel, error),
      ended: (channel) => this.#channels.delete(channel.name),
    };
    backplane.start({
      message: (channel, data, kept) => this.#receive(channel, data, kept),
      cutOff: (error) => this.#cutOff(error),
      back: () => this.#back(),
      missed: (group, count) => this.#missed(group, count),
      dropped: (group, count, error) => this.#dropped(group, count, error),
    });
  }

  /**
   * Returns the group with this name, always the same one. An empty group costs nothing, so you need not delete it.
   *
   * @throws {TypeError} The name is not a string.
   * @throws {RangeError} The name contains half of a surrogate pair, which has no bytes in UTF-8. Or it begins with
   *   `dwebsocket:people`, which names the channels of {@link Group.people}.
   */
  group(name: string): Group<Out> {
    if (typeof name !== 'string') {
      throw argumentError(TypeError, `group() takes a string as name; got ${describe(name)}`);
    }
    const known = this.#groups.get(name)?.deref();
    if (known !== undefined) return known as Group<never>;
    // In UTF-8 all such names would be equal. They arise when a text is cut between the halves of a pair.
    if (/\p{Surrogate}/u.test(name)) {
      throw argumentError(
        RangeError,
        `group() takes a name in well-formed Unicode; ${JSON.stringify(name)} contains half of a surrogate pair. ` +
          'Call name.toWellFormed(), or cut texts between characters: [...text].slice(0, 50).join("")',
      );
    }
    if (isPeopleChannel(name)) {
      throw argumentError(
        RangeError,
        `group() takes a name that does not begin with "${PEOPLE_CHANNEL}", the channels of people; ` +
          `put a prefix before names that come from users; got ${describe(name)}`,
      );
    }
    const group = createGroup(name, this.#groupHost);
    this.#groups.set(name, new WeakRef(group));
    this.#collected.register(group, name);
    return group as Group<never>;
  }

  /** Returns whether other processes are not reachable now. Useful for a health check. */
  isCutOff(): boolean {
    return this.#cutOffSince !== undefined;
  }

  /**
   * Removes all members from their groups, leaves them open, and closes the backplane. The backplane sends pending messages
   * first. It closes its own connections and leaves yours open. Never rejects. Afterwards groups work in this process only.
   */
  close(): Promise<void> {
    return (this.#closed ??= this.#closeBackplane());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #closeBackplane(): Promise<void> {
    this.#people?.close();
    for (const group of this.#filled) removeMembers(group);
    this.#historyStore?.clear();
    try {
      await this.#backplane?.close();
    } catch (error) {
      debug('the backplane failed to close: %o', error);
    }
  }

  #createPeople(): People {
    const backplane = this.#closed === undefined ? this.#backplane : undefined;
    return new People(
      backplane && {
        backplane,
        isCutOff: () => this.isCutOff(),
        refused: (error) => this.#emitSoon('refused', error, error.message),
      },
    );
  }

  #groupFilled(group: AnyGroup): void {
    this.#filled.add(group);
    if (this.#channelHost === undefined || this.#closed !== undefined) return;
    let channel = this.#channels.get(group.name);
    if (channel === undefined) {
      this.#channels.set(group.name, (channel = new Channel(group.name, this.#channelHost)));
    }
    channel.setWanted(true);
  }

  #groupEmptied(group: AnyGroup): void {
    this.#filled.delete(group);
    this.#channels.get(group.name)?.setWanted(false);
  }

  #wrap(group: AnyGroup, { bytes, binary, latest }: GroupMessage): Buffer {
    return this.#writer.wrapMessage(nextNumber(group), bytes, binary, latest, sendTime());
  }

  #sendKept(
    group: AnyGroup,
    history: GroupHistory,
    groupMessage: GroupMessage,
    isExcepted: Filter,
  ): PromiseLike<Sent> {
    history.stamper?.check(groupMessage);
    if (!history.followsBackplane) {
      const local = history.send(groupMessage, isExcepted);
      return this.#publish(group, local, () => this.#wrap(group, groupMessage));
    }
    // The members of this process get the message from the backplane, too, because only then it has its place.
    const local = [...group].filter((member) => isExcepted?.(member) !== true).length;
    let sequence = 0;
    const sent = this.#publish(group, local, () => {
      const envelope = this.#wrap(group, groupMessage);
      ({ sequence } = this.#writer);
      history.exclude(sequence, isExcepted);
      return envelope;
    });
    return sent.then((result) => {
      if (result.backplane !== false) return result;
      history.forgetExcluded(sequence);
      return { ...result, local: 0 };
    });
  }

  #publish(group: AnyGroup, local: number, wrap: () => Buffer): PromiseLike<Sent> {
    const fail = (error: unknown): Sent => ({
      local,
      backplane: false,
      error: error instanceof Error ? error : new Error(String(error)),
    });
    // On a later turn, so that a loop that awaits send() does not block the event loop.
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

  /** Handles bytes from the backplane. Must not throw: it runs in an event listener of a network client. */
  #receive(name: string, data: Buffer, kept: (Position & { readonly time: number }) | undefined): void {
    const channel = this.#channels.get(name);
    if (channel?.wanted !== true) {
      this.#people?.network?.receive(name, data);
      return;
    }
    const envelope = readEnvelope(data);
    if (typeof envelope === 'string') {
      this.#refuseForeignMessage(name, envelope);
      return;
    }
    const isOwn = envelope.origin === this.#writer.origin;
    if (isOwn && kept === undefined) return;
    const lost = channel.sequences.track(envelope);
    if (lost === DUPLICATE) return;
    // `send` has told the app what this process has lost.
    if (lost > 0 && !isOwn) this.#emitMissed(name, lost === UNKNOWN_COUNT ? undefined : lost);
    const group = this.#groups.get(name)?.deref();
    if (group === undefined) return;
    publishArrival(name, envelope);
    const history = historyOf(group);
    if (kept === undefined || history === undefined) {
      receive(group, envelope);
      return;
    }
    const isMessage = envelope.kind === 'message';
    history.receive(
      {
        position: kept,
        time: kept.time,
        header: envelope,
        groupMessage: isMessage ? toMessage(kept, envelope, history.stamper) : undefined,
        isAfterGap: lost > 0,
      },
      isOwn ? history.takeExcluded(envelope.sequence) : undefined,
    );
    // Members that have come after `close` of their group stay open.
    if (!isMessage && !(isOwn && history.isFromBeforeMembers(envelope.sequence))) receive(group, envelope);
  }

  #refuseForeignMessage(group: string, reason: string): void {
    const error = new BackplaneError(
      'ERR_WEBSOCKET_BACKPLANE_STRANGER',
      `ignored a message on the channel of group ${JSON.stringify(group)}: ${reason}. ` +
        'Give each app its own prefix (or path): redisBackplane(client, { prefix })',
      { group },
    );
    debug('%s', error.message);
    this.#emitSoon('refused', error, error.message);
  }

  #subscriptionFailed(channel: Channel, cause: unknown): void {
    // During an outage, 'cutOff' has reported this.
    if (this.isCutOff() || this.#closed !== undefined) return;
    const error = new BackplaneError(
      'ERR_WEBSOCKET_BACKPLANE_REFUSED',
      `group ${JSON.stringify(channel.name)} does not receive messages of other processes: ${reasonOf(cause)}; ` +
        'the subscription will be retried',
      { group: channel.name, cause },
    );
    debug('%s', error.message);
    this.#emitSoon('refused', error, error.message);
  }

  #cutOff(error: Error): void {
    if (this.#cutOffSince !== undefined || this.#closed !== undefined) return;
    this.#cutOffSince = now();
    debug('cut off: %s', error.message);
    this.#people?.network?.cutOff();
    this.#emitSoon('cutOff', error, error.message);
  }

  #back(): void {
    if (this.#cutOffSince === undefined) return;
    const after = now() - this.#cutOffSince;
    this.#cutOffSince = undefined;
    debug('back after %d ms', after);
    for (const channel of this.#channels.values()) channel.retryNow();
    this.#people?.network?.back();
    this.#emitSoon('back', { after });
  }

  /** Handles a loss that the backplane reports. The gaps in the numbers that it causes are not reported again. */
  #missed(group: string, count: number | undefined): void {
    if (this.#people?.network?.missed(group) === true) return;
    this.#channels.get(group)?.sequences.expectGaps();
    const known = this.#groups.get(group)?.deref();
    if (known !== undefined) {
      historyOf(known)?.reset();
      closeAfterLoss(known);
    }
    this.#emitMissed(group, count);
  }

  #emitMissed(group: string, count: number | undefined): void {
    const text = `lost ${count ?? 'some'} messages of other processes to group ${JSON.stringify(group)}`;
    debug('%s', text);
    this.#emitSoon('missed', { group, count }, text);
  }

  #dropped(group: string, count: number, error: Error): void {
    if (this.#people?.network?.dropped(group) === true) return;
    const text = `could not send ${count} messages to group ${JSON.stringify(group)}: ${error.message}`;
    debug('%s', text);
    this.#emitSoon('dropped', { group, count, error }, text);
  }

  /**
   * Emits an event on the next tick. If the event has no listener, warns once with the text `warning`.
   *
   * It waits for the next tick, so that a listener that throws does not do so inside an event of a network client. And
   * listeners that are added right after `createGroups` must receive events of the start.
   */
  #emitSoon<Name extends keyof GroupsEvents>(
    name: Name,
    fact: GroupsEvents[Name][0],
    warning?: string,
  ): void {
    process.nextTick(() => {
      const hasListener = (this as EventEmitter).emit(name, fact);
      if (hasListener || warning === undefined) return;
      const text = `${warning}; to handle this, add groups.on('${name}', …)`;
      warnOnce(this, `WEBSOCKET_GROUPS_${name.toUpperCase()}`, text);
    });
  }
}

/** Parses a text. Returns it unchanged if it is not JSON: bytes can be sent as any text. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function closedError(group: string): BackplaneError {
  return new BackplaneError(
    'ERR_WEBSOCKET_BACKPLANE_CLOSED',
    'groups.close() has been called, so the message reached only members in this process',
    { group },
  );
}

function createHistoryHost(
  settings: HistorySettings,
  codec: Codec | undefined,
  writer: EnvelopeWriter,
  getSource: () => BackplaneHistory | undefined,
): HistoryHost {
  let era = 0;
  // After a restart, a process must not take a position of an earlier one for its own.
  const mark = randomBytes(4).toString('hex');
  return {
    settings,
    stamper: createStamper(settings.stamp, codec),
    store: new HistoryStore(settings.maxBytes, settings.age),
    get source() {
      return getSource();
    },
    writer,
    begin: () => ({ era: (era = Math.max(era + 1, Date.now())), index: 0, mark }),
    encode: (value) => new GroupMessage(codec === undefined ? (value as Data) : codec.encodeUnchecked(value)),
  };
}

function keepHistory(backplane: Backplane, { length, age, maxBytes }: HistorySettings): void {
  if (backplane.history === undefined)
    throw optionError(
      TypeError,
      'backplane',
      'redisStreamBackplane(client, { maxLength }) if groups have a history, or left out: no other backplane keeps messages',
      backplane,
    );
  backplane.history.keep({ length, age, maxBytes });
}

const METHODS = ['start', 'publish', 'subscribe', 'unsubscribe', 'close'] as const;

function checkBackplane(value: unknown): asserts value is Backplane {
  const methods = value as Partial<Record<(typeof METHODS)[number], unknown>> | null;
  const missing = METHODS.filter((name) => typeof methods?.[name] !== 'function');
  if (missing.length === 0) return;
  const looksLikeClient = missing.length < METHODS.length && missing.includes('start');
  const advice = looksLikeClient
    ? '; for a client, pass redisBackplane(client), natsBackplane(connection) or postgresBackplane(pool)'
    : '';
  throw optionError(
    TypeError,
    'backplane',
    `a backplane with the methods ${METHODS.join(', ')} (missing: ${missing.join(', ')}${advice})`,
    value,
  );
}
