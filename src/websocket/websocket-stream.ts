import { Duplex } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { Message } from '../options/options.js';
import { CloseCode } from '../shared/close-codes.js';
import { later } from '../shared/later.js';
import { nextTick } from '../shared/real-timers.js';
import { closedError, closedErrorOf, lossOf, readLossOf, type Claim } from './claim.js';
import { asBytes, type Data } from './frame.js';
import type { StreamOptions } from './library-types.js';
import { EMPTY, type Waiter } from './message-queue.js';

type Done = (error?: Error | null) => void;

/**
 * A websocket as a stream of Node: a chunk is a message.
 *
 * `end()` closes with 1000, and 'finish' comes when the peer has answered. `destroy(error)` closes with 1011. 'end' comes
 * after a close with 1000 or without a code; any other end of the websocket destroys the stream with a
 * `WebsocketClosedError`. So half of a file never looks whole, on either side.
 */
export class WebsocketStream extends Duplex {
  readonly #claim: Claim;
  readonly #binary: boolean | undefined;
  readonly #decoder: StringDecoder | undefined;
  #isWaiting = false;
  #isScheduled = false;
  #hasSeenEnd = false;
  #isRead = false;
  #isWritten = false;
  readonly #waiter: Waiter<Message> = {
    message: (message) => {
      this.#isWaiting = false;
      if (this.#pushMessage(message)) this.#pump();
    },
    end: () => {
      this.#isWaiting = false;
      this.#endLater();
    },
  };

  constructor(claim: Claim, { objectMode = false, binary }: StreamOptions) {
    super({
      objectMode,
      decodeStrings: false,
      // A websocket that has closed takes no more messages.
      allowHalfOpen: false,
      // One message: Node would join the Buffers of several. The others wait in the queue, which counts their bytes.
      readableHighWaterMark: 1,
    });
    this.#claim = claim;
    this.#binary = binary;
    if (binary === false) this.#decoder = new StringDecoder();
    // The error of a stream ends the process if nobody listens, and any client can lose its connection. Whoever reads,
    // writes or pipes learns of it all the same.
    this.on('error', ignore);
    this.once('pipe', () => {
      this.#isWritten = true;
    });
    this.#endLater();
  }

  override _read(): void {
    this.#isRead = true;
    if (this.#isWaiting) return;
    if (this.readableObjectMode) this.#pump();
    // Later, because Node joins Buffers that come while somebody reads.
    else if (!this.#isScheduled) this.#pumpLater();
  }

  #pumpLater(): void {
    this.#isScheduled = true;
    nextTick(() => {
      this.#isScheduled = false;
      if (!this.#isWaiting && !this.destroyed) this.#pump();
    });
  }

  #pump(): void {
    const { messages } = this.#claim;
    for (let message = messages.shift(); message !== EMPTY; message = messages.shift()) {
      if (!this.#pushMessage(message)) return;
    }
    this.#isWaiting = !messages.ended;
    if (this.#isWaiting) messages.wait(this.#waiter);
    else this.#endLater();
  }

  #pushMessage(message: Message): boolean {
    const chunk = typeof message === 'string' && !this.readableObjectMode ? Buffer.from(message) : message;
    return this.push(chunk);
  }

  /** Ends both sides when the connection has ended, unless the reader has not come to the end yet. */
  #endLater(): void {
    void this.#claim.closed.then((info) => {
      const isOnlyWritten = this.#isWritten && !this.#isRead;
      if (this.#hasSeenEnd || (this.#claim.messages.length > 0 && !isOnlyWritten)) return;
      this.#hasSeenEnd = true;
      // Without a reader, 'end' does not come, and a source that is silent would stay open.
      const isCutOff = isOnlyWritten && !this.writableEnded;
      const loss = isCutOff ? closedError(info) : readLossOf(this.#claim, info);
      if (loss !== undefined) {
        this.destroy(loss);
        return;
      }
      this.push(null);
      // If nobody reads, 'end' does not come, and the writer would not learn that the websocket has closed.
      if (this.readableLength === 0) this.end();
    });
  }

  override _write(chunk: unknown, encoding: BufferEncoding | undefined, done: Done): void {
    this.#isWritten = true;
    let sent: PromiseLike<boolean> | undefined;
    try {
      const data = this.#toData(chunk, encoding);
      if (data !== undefined) sent = this.#claim.send(data, this.#binary);
    } catch (error) {
      // In object mode a chunk may be anything.
      done(error as Error);
      return;
    }
    if (sent === undefined) {
      done();
      return;
    }
    void sent.then((isSent) => {
      if (isSent) done();
      else void closedErrorOf(this.#claim).then(done);
    });
  }

  /** Returns the message for a chunk, or `undefined` if it has only a part of a character. */
  #toData(chunk: unknown, encoding: BufferEncoding | undefined): Data | undefined {
    // In object mode there is no encoding.
    const isText = typeof chunk === 'string' && /^utf-?8$/i.test(encoding ?? 'utf8');
    const data = typeof chunk === 'string' && !isText ? Buffer.from(chunk, encoding) : (chunk as Data);
    if (this.#decoder === undefined || typeof data === 'string') return data;
    const text = this.#decoder.write(asBuffer(data));
    return text === '' ? undefined : text;
  }

  override _final(done: Done): void {
    const rest = this.#decoder?.end() ?? '';
    if (rest !== '') void this.#claim.send(rest);
    this.#claim.close(CloseCode.normal, '');
    void this.#claim.closed.then(async (info) => {
      // Later, so that 'end' comes first. A pipeline from this stream and back would take the rest for lost.
      await later(undefined);
      done(lossOf(info));
    });
  }

  override _destroy(error: Error | null, done: Done): void {
    const { messages } = this.#claim;
    // If chunks were not sent, the peer must not take what it got for the whole.
    const isWhole = error === null && this.writableLength === 0;
    this.#claim.close(isWhole ? CloseCode.normal : CloseCode.internalError, '');
    if (this.#isWaiting) messages.stopWaiting(this.#waiter);
    messages.end();
    messages.clear();
    done(error);
  }
}

function asBuffer(data: Exclude<Data, string>): Buffer {
  const bytes = asBytes(data);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function ignore(): void {
  // See where it is added.
}
