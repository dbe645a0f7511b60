import type {
  InvalidListener,
  MessageFormat,
  MessageKind,
  MessageKinds,
  RouteOptions,
} from '../options/options.js';
import type { SchemaInput, SchemaOutput, StandardSchema } from '../shared/standard-schema.js';
import type { ValueFormat } from '../values/codec.js';
import type { Data } from '../websocket/frame.js';
import type { Websocket } from '../websocket/websocket.js';

/** Stands for the type of the messages that a route receives, by its option `messages`. */
export type ReceivedMessage<Format extends MessageFormat> = Format extends MessageKind
  ? MessageKinds[Format]
  : Format extends StandardSchema
    ? SchemaOutput<Format>
    : unknown;

/** Stands for the type of the messages that a route sends, by its options `messages` and `sends`. */
export type SendableMessage<
  Format extends MessageFormat,
  Sends extends StandardSchema,
> = Format extends MessageKind ? Data : SchemaInput<Sends>;

/**
 * Lists the options of `acceptWebsocket`, `requireWebsocket`, `websocketMiddleware` and `withDefaults`.
 *
 * Sizes are whole numbers of bytes from 1 to 2 ** 31 - 1. Times are whole milliseconds from 1 to 2 ** 31 - 1. An option
 * that is `undefined` has its default. A wrong type, a wrong value or an unknown name throws a `WebsocketOptionError`
 * when the route is wrapped.
 */
export interface WebsocketOptions<
  Format extends MessageFormat = MessageKind,
  Sends extends StandardSchema = StandardSchema,
> extends RouteOptions {
  /**
   * Sets which messages a client may send. With `'text'`, messages have the type `string`, and a binary one closes the
   * websocket with 1003. With `'binary'`, they have the type `Buffer`, and a text one closes it (RFC 6455, 7.4.1).
   *
   * With `'json'`, messages are values of the type `unknown`, parsed from text. With a schema of zod, valibot, arktype or
   * another library that implements Standard Schema, they are also checked, and have the type that the schema gives. A
   * message that is not JSON, nests arrays and objects more than 500 levels deep, or does not fit closes the websocket with
   * 1007 when it is read, and the handler's loop ends. The reason names the first issue, but not if `NODE_ENV` is
   * `production`. A binary message closes it with 1003. If a schema throws or rejects, `wait`, `read` or the iteration fails
   * with its error. `send` encodes any value as JSON; bytes stay a binary message.
   *
   * @default 'both'
   */
  messages?: Format | undefined;
  /**
   * Sets the type of the values that `send` takes, with a schema. Needs `messages: 'json'` or a schema. `send` checks each
   * value, and throws a `WebsocketArgumentError` with its `issues` for one that does not fit. It does not check if `NODE_ENV`
   * is `production` when the route is wrapped. The value is sent as it is, without defaults and transforms, so its type is
   * what the schema accepts. Bytes are sent without a check. The schema must answer without a promise.
   *
   * @default none (any value that JSON can represent)
   */
  sends?: (Format extends ValueFormat ? Sends : never) | undefined;
  /**
   * Handles a message that is not JSON or does not fit, instead of closing the websocket. The message is skipped. `text` is
   * the message as it came. Needs `messages: 'json'` or a schema. Runs when the message is read. If the function throws, or
   * its promise rejects, the next `wait`, `read` or iteration fails with that error.
   *
   * @default none (closes with 1007)
   */
  invalid?:
    | (Format extends ValueFormat
        ? InvalidListener<Websocket<ReceivedMessage<Format>, SendableMessage<Format, Sends>>>
        : never)
    | undefined;
}
