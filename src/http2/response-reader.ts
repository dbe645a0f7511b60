import type { OutgoingHttpHeaders } from 'node:http';

/** Receives the parts of a response. */
export interface ResponseTarget {
  /** Receives the head of the response. It may come after heads with a status of 100 to 199, for example 103. */
  head(status: number, headers: OutgoingHttpHeaders): void;
  body(bytes: Buffer): void;
}

const CR_LF = '\r\n';
const BLANK_LINE = '\r\n\r\n';

/** The largest incomplete head or line that the reader keeps. Node's responses have no limit, so this one is generous. */
const MAX_LINES = 1_048_576;

/**
 * Reads a response that Node's `ServerResponse` has written for HTTP/1.1 (RFC 9112), for a connection with a single request.
 *
 * Node's own parser is private, and its HTTP client would show the response to tracers as a request of the app. This reader
 * needs only what Node writes: a head, and a body that is chunked or ends with the connection.
 */
export class ResponseReader {
  readonly #target: ResponseTarget;
  #state: 'head' | 'body' | 'size' | 'chunk' | 'trailers' | 'done' = 'head';
  /** Bytes of an incomplete head or line. */
  #partial: Buffer | undefined;
  /** The bytes of the current chunk that have not come, with the line break after it. */
  #chunkBytes = 0;

  constructor(target: ResponseTarget) {
    this.#target = target;
  }

  /** Whether a chunked body has begun, and its end has not come. */
  get isIncomplete(): boolean {
    return this.#state === 'size' || this.#state === 'chunk' || this.#state === 'trailers';
  }

  /**
   * Reads the next bytes.
   *
   * @throws {Error} The text is no response. It happens only if code has written to the socket past its response.
   */
  read(bytes: Buffer): void {
    if (this.#partial !== undefined) bytes = Buffer.concat([this.#partial, bytes]);
    this.#partial = undefined;
    let at = 0;
    while (at < bytes.length) {
      const end = this.#readPart(bytes, at);
      if (end === -1) {
        if (bytes.length - at > MAX_LINES) throw new Error('the response has lines without an end');
        this.#partial = bytes.subarray(at);
        return;
      }
      at = end;
    }
  }

  /** Reads one part. Returns the index of the first byte after it, or -1 if the part is incomplete. */
  #readPart(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case 'head':
        return this.#readHead(bytes, at);
      case 'size':
        return this.#readSize(bytes, at);
      case 'chunk':
        return this.#readChunk(bytes, at);
      case 'trailers':
        return this.#readTrailers(bytes, at);
      case 'body':
        this.#target.body(at === 0 ? bytes : bytes.subarray(at));
        return bytes.length;
      case 'done':
        return bytes.length;
    }
  }

  #readHead(bytes: Buffer, at: number): number {
    const end = bytes.indexOf(BLANK_LINE, at, 'latin1');
    if (end === -1) return -1;
    const [first = '', ...lines] = bytes.toString('latin1', at, end).split(CR_LF);
    const status = /^HTTP\/1\.1 (\d{3})/.exec(first)?.[1];
    if (status === undefined) throw new Error('the response has no status line');
    const { headers, isChunked } = parseHeaders(lines);
    // 101 is final: what comes after it is no HTTP.
    if (Number(status) === 101 || Number(status) >= 200) this.#state = isChunked ? 'size' : 'body';
    this.#target.head(Number(status), headers);
    return end + BLANK_LINE.length;
  }

  #readSize(bytes: Buffer, at: number): number {
    const end = bytes.indexOf(CR_LF, at, 'latin1');
    if (end === -1) return -1;
    const size = Number.parseInt(bytes.toString('latin1', at, end), 16);
    if (!(size >= 0)) throw new Error('a chunk of the response has no size');
    this.#chunkBytes = size + CR_LF.length;
    this.#state = size === 0 ? 'trailers' : 'chunk';
    return end + CR_LF.length;
  }

  #readChunk(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#chunkBytes);
    const data = bytes.subarray(at, Math.min(end, at + this.#chunkBytes - CR_LF.length));
    this.#chunkBytes -= end - at;
    if (this.#chunkBytes === 0) this.#state = 'size';
    if (data.length > 0) this.#target.body(data);
    return end;
  }

  #readTrailers(bytes: Buffer, at: number): number {
    // Without trailers, a single line break ends the body.
    if (bytes.length - at < CR_LF.length) return -1;
    if (bytes.toString('latin1', at, at + CR_LF.length) === CR_LF) {
      this.#state = 'done';
      return at + CR_LF.length;
    }
    const end = bytes.indexOf(BLANK_LINE, at, 'latin1');
    if (end === -1) return -1;
    this.#state = 'done';
    // Node 22 and 26 end the process if a stream that waits for trailers is reset at a bad moment. So none are sent.
    return end + BLANK_LINE.length;
  }
}

// HTTP/2 forbids the headers that describe a connection (RFC 9113, 8.2.2).
const OF_THE_CONNECTION =
  /^(?:connection|keep-alive|proxy-connection|transfer-encoding|te|upgrade|http2-settings|host)$/;

function parseHeaders(lines: readonly string[]): { headers: OutgoingHttpHeaders; isChunked: boolean } {
  const headers = Object.create(null) as Record<string, string | string[]>;
  let isChunked = false;
  let named: readonly string[] = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === 'connection') named = value.toLowerCase().split(/[\s,]+/);
    if (name === 'transfer-encoding') isChunked = /(?:^|,)\s*chunked\s*$/i.test(value);
    if (OF_THE_CONNECTION.test(name)) continue;
    const before = headers[name];
    // Node sends several values only for some names. A list with commas says the same (RFC 9110, 5.3), but not for cookies.
    if (name === 'set-cookie') headers[name] = [before ?? [], value].flat();
    else headers[name] = before === undefined ? value : `${before as string}, ${value}`;
  }
  for (const name of named) Reflect.deleteProperty(headers, name);
  return { headers, isChunked };
}
