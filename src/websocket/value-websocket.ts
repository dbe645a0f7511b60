import type { Message } from '../options/options.js';
import type { ValuePolicy } from '../options/policy.js';
import { CloseCode } from '../shared/close-codes.js';
import { debug } from '../shared/notices.js';
import type { SchemaIssue } from '../shared/standard-schema.js';
import { isThenable } from '../shared/thenable.js';
import { asyncSchemaError } from '../values/codec.js';
import { describeInvalid, reasonFor } from '../values/issues.js';
import { onInvalid } from './diagnostics.js';
import { MessageQueue, type Queue } from './message-queue.js';
import { Messages } from './messages.js';
import { unwrap, ValueQueue } from './value-queue.js';
import { Websocket, type createWebsocket, type SendOptions } from './websocket.js';

type Parts = Parameters<typeof createWebsocket>;

// The constructor of `Websocket` is private, because users never construct one.
const Base = Websocket as unknown as new (...parts: Parts) => Websocket<unknown, unknown>;

/** Stands for "no message" in `read`, whose fallback may be any value. */
const NOTHING = Symbol('nothing');

/** Reads and sends values: the websocket of a route whose option `messages` is `'json'` or a schema. */
export class ValueWebsocket extends Base {
  readonly #queue: ValueQueue<unknown>;
  readonly #values: ValuePolicy;
  readonly #isServer: boolean;

  constructor(...[connection, socket, request, policy, openWebsockets, listener]: Parts) {
    const values = policy.values as ValuePolicy;
    const texts = new MessageQueue<string>(policy.maxQueue, connection);
    const queue = new ValueQueue(texts, values.codec, (issues, text) => {
      this.#refuse(issues, text);
    });
    super(connection, socket, request, policy, openWebsockets, listener, queue as unknown as Queue<Message>);
    this.#queue = queue;
    this.#values = values;
    // Diagnostics describe the server, and not a test client in the same process.
    this.#isServer = openWebsockets !== undefined;
  }

  override wait(timeout?: number): Promise<unknown> {
    return super.wait(timeout).then(unwrap);
  }

  override read(fallback: unknown = null): unknown {
    const value = unwrap(super.read<unknown>(NOTHING));
    if (value !== NOTHING) return value;
    if (!this.#queue.isChecking) return fallback;
    throw asyncSchemaError(
      'read() cannot wait for the schema of the option "messages", which answers with a promise; ' +
        'use "await websocket.wait()" or "for await"',
    );
  }

  override [Symbol.asyncIterator](): AsyncIterableIterator<unknown> {
    return new Values(this.#queue);
  }

  override send(value: unknown, options?: SendOptions): PromiseLike<boolean> {
    return super.send(this.#values.codec.encode(value), options);
  }

  /**
   * Handles a message that does not fit. It closes the websocket, unless the app answers with the option `invalid`.
   *
   * @throws The error of the app's listener.
   */
  #refuse(issues: readonly SchemaIssue[], text: string): void {
    debug('%s: received %j', this.request.url, describeInvalid(issues));
    if (this.#isServer && onInvalid.hasSubscribers) onInvalid.publish({ websocket: this, issues, text });
    const { invalid } = this.#values;
    if (invalid === undefined) {
      void this.close(CloseCode.invalidPayload, reasonFor(issues));
      // Only now: space in the queue lets the socket deliver more at once, and a closed queue ignores it.
      this.#queue.clear();
      return;
    }
    const answer = invalid(issues, this as never, text);
    if (!isThenable(answer)) return;
    // The next message does not wait for the answer.
    Promise.resolve(answer).then(undefined, (error: unknown) => {
      debug('%s: the function given as invalid rejected: %s', this.request.url, error);
      this.#queue.fail(error);
    });
  }
}

/** Iterates over values. Rejects in the place of a failure. */
class Values extends Messages<unknown> {
  override next(): Promise<IteratorResult<unknown, undefined>> {
    return super.next().then(unwrapResult);
  }
}

function unwrapResult(result: IteratorResult<unknown, undefined>): IteratorResult<unknown, undefined> {
  unwrap(result.value);
  return result;
}
