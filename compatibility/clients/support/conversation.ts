import { afterAll, beforeAll, describe, expect } from 'vitest';
import { checksOf, type Check, type Subject } from '../../support/subject.js';
import { REFUSAL, startServer, type ClientsServer, type Protocol, type Step, type Visit } from './server.js';

/**
 * A client that talks with our server. It has this conversation, step by step, and tells what it has seen of each:
 *
 * - `open`: opens `/echo` and offers `superchat, chat`; tells the `protocol` that was agreed on
 * - `text`, `unicode`, `binary`, `parts`: sends a message (the last one in several frames); tells the `echo`
 * - `large`: sends 1 MiB; tells the `length` of the echo, and whether it is the `same`
 * - `ping`: sends a ping with `payload`; tells the `pong`
 * - `ping of the server`: sends `ping me`. The server pings, and sends the echo after the pong
 * - `close`: closes with 4001 and `bye`; tells the `code` and the `reason` that it sees
 * - `compressed`: opens `/compressed`, and sends 100,000 zeros there; tells as for `large`
 * - `close of the server`: opens `/goodbye`; tells the `code` and the `reason`
 * - `lost`: opens `/lost`, and sends a message. The server drops the connection; tells what it sees
 * - `refused`: opens `/refused`, which is answered with 401 and a body; tells all that it sees
 */
export interface ConversingClient {
  readonly name: string;
  readonly version: string;
  readonly needs?: string;
  /** How the server is reached. */
  readonly over?: Protocol;
  /** Has the conversation with the server. Gives the steps in any order. */
  converse(server: ClientsServer): Promise<readonly Step[]>;
  /** What the table says of a refusal; see `describeRefusal`. */
  readonly refusal: string;
  /** What the table says of a server that is gone; see `describeLoss`. */
  readonly loss: string;
  /** What the table says of permessage-deflate; see `describeCompression`. */
  readonly compression: string;
  /** Whether its API has pings, and whether they tell of the pong. */
  readonly pings: 'both' | 'sends' | 'answers';
  /** The proxy between them, to whose row all that is seen belongs. */
  readonly through?: { readonly subject: Subject; readonly http2: string | undefined };
  /** Whether its API can send a message in parts. */
  readonly parts?: boolean;
  /** Whether its API hides the subprotocol. */
  readonly hidesProtocol?: boolean;
}

export const NO_COMPRESSION = 'not offered';

/** Defines the tests of a client, which share one conversation. */
export function describeConversation(client: ConversingClient): void {
  const { name, version, needs, over = 'http', parts = false, pings, through } = client;
  const checkClient = checksOf({ name, version, ...(needs === undefined ? {} : { needs }) });

  describe(through === undefined ? `${name} over ${over}` : `${name} through ${through.subject.name}`, () => {
    let server: ClientsServer;
    const steps = new Map<string, Step>();
    const visits = new Map<string, Visit>();
    const seen = (name: string): Record<string, unknown> => {
      const { step, ...rest } = steps.get(name) ?? { step: undefined };
      if (step === undefined) throw new Error(`the client told nothing of ${name}`);
      return rest;
    };
    const visit = (path: string): Visit => {
      const found = visits.get(path);
      if (found === undefined) throw new Error(`the client has not opened ${path}`);
      return found;
    };

    const check: Check = (column, sentence, run) => {
      if (through === undefined) return checkClient(column, sentence, run);
      checksOf(through.subject)('HTTP/2 to browsers', sentence, async (see) => {
        await run(() => {});
        for (const each of visits.values())
          expect(each.client).toEqual({ ip: '127.0.0.1', protocol: 'https' });
        const shown = describeFront([...visits.values()]);
        see(shown);
        expect(shown).toBe(through.http2);
      });
    };

    beforeAll(async () => {
      server = await startServer({ over });
      for (const step of await client.converse(server)) steps.set(step.step, step);
      const count = client.compression === NO_COMPRESSION ? 3 : 4;
      while (visits.size < count) {
        const ended = await server.visits.next('end of a websocket');
        // A client may use a route twice; its first visit is the one of the steps.
        if (!visits.has(ended.path)) visits.set(ended.path, ended);
      }
    });
    afterAll(() => server.close());

    check('echo', 'gets back text, binary data and 1 MiB, and agrees on a subprotocol', () => {
      expect(visit('/echo').protocol).toBe('chat');
      for (const { alpnProtocol } of visits.values()) if (over === 'http2') expect(alpnProtocol).toBe('h2');
      expect(seen('open')).toEqual({ protocol: client.hidesProtocol === true ? null : 'chat' });
      expect(seen('text')).toEqual({ echo: 'hello' });
      expect(seen('unicode')).toEqual({ echo: 'Grüße, 世界 👋' });
      expect(seen('binary')).toEqual({ echo: [0, 1, 2, 253, 254, 255] });
      expect(seen('large')).toEqual({ length: 1_048_576, same: true });
      if (parts) expect(seen('parts')).toEqual({ echo: 'in three parts' });
    });

    check('refusal', 'shows a refusal as the page says', (see) => {
      const shown = describeRefusal(seen('refused'));
      see(shown);
      expect(shown, JSON.stringify(seen('refused'))).toBe(client.refusal);
    });

    check('close', 'both sides see the code and the reason of the other', () => {
      expect(visit('/echo').end).toEqual({ code: 4001, reason: 'bye', wasClean: true });
      expect(seen('close')).toMatchObject({ code: 4001 });
      expect(seen('close of the server')).toMatchObject({ code: 4002, reason: 'später' });
      expect(visit('/goodbye').end).toEqual({ code: 4002, reason: 'später', wasClean: true });
    });

    check('lost connection', 'notices that the server is gone', (see) => {
      const shown = describeLoss(seen('lost'));
      see(shown);
      expect(shown, JSON.stringify(seen('lost'))).toBe(client.loss);
    });

    check('compression', 'compresses as the page says', (see) => {
      const shown = describeCompression(visits.get('/compressed'));
      see(shown);
      expect(shown).toBe(client.compression);
      if (shown === NO_COMPRESSION)
        expect([...visits.values()].map(({ offered }) => offered).join('')).toBe('');
      else expect(seen('compressed')).toEqual({ length: 100_000, same: true });
    });

    check('ping', 'answers pings, and gets pongs where it can ping', (see) => {
      expect(seen('ping of the server')).toEqual({ echo: 'ping me' });
      if (pings === 'both') expect(seen('ping')).toEqual({ pong: 'payload' });
      if (pings === 'sends') expect(seen('ping')).toEqual({ echo: 'after the ping' });
      if (pings === 'answers') see('answers');
    });
  });
}

/** What a client shows of the 401 and its body. */
function describeRefusal(seen: Record<string, unknown>): string {
  const everything = JSON.stringify(seen);
  const body = everything.includes(REFUSAL) ? ' and body' : '';
  if (seen['status'] === 401) return `status${body}`;
  if (/\b401\b/.test(everything)) return `status${body} in the text of the error`;
  if (typeof seen['code'] === 'number') return `\`${seen['code']}\`, no status`;
  return 'an error, no status';
}

/** What a client shows of a connection that ended without a close frame. */
function describeLoss({ code, error }: Record<string, unknown>): string {
  if (typeof code !== 'number') return 'an error';
  return code === 1000 && error !== undefined ? '`1000` and an error' : `\`${code}\``;
}

/** In which directions the 100,000 zeros were compressed. */
function describeCompression(visit: Visit | undefined): string {
  if (visit === undefined) return NO_COMPRESSION;
  const { offered, read, written } = visit;
  if (!offered.includes('permessage-deflate')) return NO_COMPRESSION;
  if (written > 10_000) return 'offered, and not used';
  return read > 10_000 ? 'of what it receives' : 'both ways';
}

/** In which HTTP version a browser has opened its websockets to the proxy. */
function describeFront(visits: readonly Visit[]): string {
  if (visits.every(({ frontVersion = '' }) => /^2/.test(frontVersion))) return 'yes';
  if (visits.every(({ frontVersion = '' }) => /^HTTP\/1\.1/.test(frontVersion)))
    return 'websockets use HTTP/1.1';
  return `mixed: ${visits.map(({ frontVersion }) => frontVersion).join(', ')}`;
}
