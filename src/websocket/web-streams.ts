import { ReadableStream, WritableStream } from 'node:stream/web';
import type { Message } from '../options/options.js';
import { CloseCode } from '../shared/close-codes.js';
import { later } from '../shared/later.js';
import { closedErrorOf, lossOf, readLossOf, type Claim, type Line } from './claim.js';
import type { Data } from './frame.js';
import { Messages } from './messages.js';

interface WebStreams {
  readable?: ReadableStream<Message>;
  writable?: WritableStream<Data>;
}

const webStreams = new WeakMap<object, WebStreams>();

/** Returns the Web streams that a websocket has created. */
export function webStreamsOf(websocket: object): WebStreams {
  const streams = webStreams.get(websocket) ?? {};
  webStreams.set(websocket, streams);
  return streams;
}

/**
 * Returns the messages of a websocket as a Web stream. It ends after a close with 1000 or without a code; any other end of
 * the websocket is an error. `cancel()` closes with 1000, and with a reason, as `pipeTo` calls it, with 1011.
 */
export function createReadable(claim: Claim): ReadableStream<Message> {
  const { messages } = claim;
  const iterator = new Messages(messages);
  return new ReadableStream<Message>(
    {
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (done !== true) {
          controller.enqueue(value);
          return;
        }
        const loss = readLossOf(claim, await claim.closed);
        if (loss === undefined) controller.close();
        else controller.error(loss);
      },
      cancel(reason) {
        claim.close(reason === undefined ? CloseCode.normal : CloseCode.internalError, '');
        messages.end();
        messages.clear();
      },
    },
    // The messages wait in the queue of the websocket, which counts their bytes.
    { highWaterMark: 0 },
  );
}

/**
 * Returns a Web stream that sends its chunks as messages. `close()` closes the websocket with 1000, and resolves when the
 * peer has answered; `abort()` closes with 1011. When the websocket ends before, the stream fails.
 */
export function createWritable(line: Line): WritableStream<Data> {
  let isClosing = false;
  return new WritableStream<Data>(
    {
      start(controller) {
        void line.closed.then(async () => {
          const error = await closedErrorOf(line);
          // Later, because a pipe from `readable` closes this stream when that one ends.
          await later(undefined);
          if (!isClosing) controller.error(error);
        });
      },
      async write(chunk) {
        try {
          if (await line.send(chunk)) return;
        } catch (error) {
          // The chunk is no message. This stream takes no more chunks, so nobody could close the websocket.
          line.close(CloseCode.internalError, '');
          throw error;
        }
        throw await closedErrorOf(line);
      },
      async close() {
        isClosing = true;
        line.close(CloseCode.normal, '');
        const loss = lossOf(await line.closed);
        if (loss !== undefined) throw loss;
      },
      abort() {
        isClosing = true;
        line.close(CloseCode.internalError, '');
      },
    },
    { highWaterMark: 1 },
  );
}
