import { once } from 'node:events';
import { constants, deflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { requireWebsocket, type Websocket, WebsocketClosedError } from 'dwebsocket';
import { connect } from '../support/client.js';
import { defer, within } from '../support/inbox.js';
import { openPair } from '../support/pair.js';
import { openRaw } from '../support/raw-client.js';
import { binary, close, closeCodeOf, text } from '../support/raw-frames.js';
import { serve } from '../support/serve.js';
import { watchWarnings } from '../support/warnings.js';

describe('close', () => {
  test('closes with 1000 and resolves when the closing handshake is complete', async () => {
    const { websocket, client } = await openPair();
    const closing = websocket.close();
    expect(websocket.isClosed()).toBe(true);
    await within(closing, 'close');
    expect(await client.closed()).toEqual({ code: 1000, reason: '' });
    expect(await websocket.closed).toEqual({ code: 1000, reason: '', wasClean: true });
  });

  test.for([[1000], [1001], [1003], [1007], [1011], [1012], [1014], [3000], [4999]] as const)(
    'sends the code %d',
    async ([code]) => {
      const { websocket, client } = await openPair();
      await within(websocket.close(code, 'grund'), 'close');
      expect(await client.closed()).toEqual({ code, reason: 'grund' });
    },
  );

  test.for([
    [0],
    [999],
    [1004],
    [1005],
    [1006],
    [1015],
    [1016],
    [2999],
    [5000],
    [1000.5],
    [NaN],
    ['1000'],
  ] as const)('throws RangeError for the code %s and leaves the websocket open', async ([code]) => {
    const { websocket } = await openPair();
    expect(() => websocket.close(code as number)).toThrow(RangeError);
    expect(() => websocket.close(code as number)).toThrow(/a close code must be .*; got/);
    expect(websocket.isClosed()).toBe(false);
  });

  test('sends a reason of 123 bytes completely', async () => {
    const reason = 'é'.repeat(61) + '!';
    const { websocket, client } = await openPair();
    await within(websocket.close(4001, reason), 'close');
    expect(await client.closed()).toEqual({ code: 4001, reason });
  });

  test.for([['a'.repeat(124)], ['é'.repeat(62)], ['é'.repeat(100)]] as const)(
    'throws RangeError for a reason of more than 123 bytes',
    async ([reason]) => {
      const { websocket } = await openPair();
      expect(() => websocket.close(1000, reason)).toThrow(RangeError);
      expect(() => websocket.close(1000, reason)).toThrow(
        `a close reason must be at most 123 bytes in UTF-8; this one has ${Buffer.byteLength(reason)}`,
      );
      expect(websocket.isClosed()).toBe(false);
    },
  );

  test('throws for a wrong code and a wrong reason, even on a closed websocket', async () => {
    const { websocket } = await openPair();
    await within(websocket.close(), 'close');
    expect(() => websocket.close(1005)).toThrow(RangeError);
    expect(() => websocket.close(1000, 5 as never)).toThrow(TypeError);
  });

  test('further calls have no effect and resolve when the connection ends', async () => {
    const { websocket, client } = await openPair();
    const closes = [websocket.close(4001, 'first'), websocket.close(4002, 'second'), websocket.close()];
    await within(Promise.all(closes), 'close');
    expect(await client.closed()).toEqual({ code: 4001, reason: 'first' });
    await within(websocket.close(4003), 'close');
    expect(await websocket.closed).toMatchObject({ code: 4001, reason: 'first' });
  });

  test('earlier messages are sent first', async () => {
    const { websocket, client } = await openPair();
    for (let i = 0; i < 100; i++) websocket.send(`message ${i}`);
    websocket.send(Buffer.alloc(2 ** 20));
    void websocket.close();
    expect((await client.take(101)).at(99)).toBe('message 99');
    expect(await client.closed()).toEqual({ code: 1000, reason: '' });
  });

  test('earlier messages can still be read', async () => {
    const { websocket, client } = await openPair();
    client.send('received');
    await client.flush();
    await within(websocket.close(), 'close');
    expect(await websocket.wait()).toBe('received');
    expect(await websocket.wait()).toBeNull();
  });

  test('terminates a peer that does not answer within closeTimeout', async () => {
    const closed = defer<unknown>();
    const site = await serve(
      requireWebsocket(
        async ({ websocket }) => {
          await websocket.close(4000, 'bye');
          closed.resolve(await websocket.closed);
        },
        { closeTimeout: 30 },
      ),
    );
    const client = await openRaw(site.port);
    expect(closeCodeOf((await client.nextFrame())!)).toBe(4000);
    expect(await within(closed.promise, 'end')).toEqual({ code: 4000, reason: 'bye', wasClean: false });
    await client.end();
  });
});

describe('the answers to the last messages', () => {
  const END = close(4000, 'bye');

  /** Opens a websocket that runs the handler, and sends all frames in one segment. */
  async function send(handler: (websocket: Websocket) => Promise<unknown>, ...frames: Buffer[]) {
    const closed = defer<unknown>();
    const site = await serve(
      requireWebsocket(
        async ({ websocket }) => {
          await handler(websocket);
          closed.resolve(await websocket.closed);
        },
        { maxPayload: 1_000, messages: 'text' },
      ),
    );
    const client = await openRaw(site.port);
    client.write(Buffer.concat(frames));
    expect(await client.end()).toBe('end');
    const [last, ...others] = client.frames.reverse();
    const answers = others.reverse().map(({ payload }) => payload.toString());
    return { answers, code: closeCodeOf(last!), closed: await within(closed.promise, 'end of the handler') };
  }

  const echo = async (websocket: Websocket) => {
    for await (const message of websocket) websocket.send(message);
  };

  test.for<[string, (websocket: Websocket) => Promise<unknown>]>([
    ['for await', echo],
    [
      'wait()',
      async (websocket) => {
        let message;
        while ((message = await websocket.wait()) !== null) websocket.send(message);
      },
    ],
    [
      'wait() and awaits send()',
      async (websocket) => {
        let message;
        while ((message = await websocket.wait()) !== null) await websocket.send(message);
      },
    ],
    [
      'read() on a turn for each',
      async (websocket) => {
        await websocket.wait().then((message) => websocket.send(message!));
        while (websocket.hasMessages()) {
          websocket.send(websocket.read()!);
          await new Promise(setImmediate);
        }
      },
    ],
  ])(
    'are sent before our close frame, if the messages and the close frame arrive together (%s)',
    async ([, handler]) => {
      const { answers, code, closed } = await send(handler, text('1'), text('2'), text('3'), END);
      expect(answers).toEqual(['1', '2', '3']);
      expect(code).toBe(4000);
      expect(closed).toEqual({ code: 4000, reason: 'bye', wasClean: true });
    },
  );

  test.for<[string, Buffer, number]>([
    ['a frame that breaks the protocol', text('x', { rsv: 2 }), 1002],
    ['text that is not UTF-8', text(Buffer.from([0xff])), 1007],
    ['a message that is too long', text('x'.repeat(1_001)), 1009],
    ['a message of a type that the route does not accept', binary('x'), 1003],
  ])('are sent before the close frame for %s', async ([, frame, expected]) => {
    const { answers, code } = await send(echo, text('1'), text('2'), frame, close(1000));
    expect(answers).toEqual(['1', '2']);
    expect(code).toBe(expected);
  });

  test('do not delay our close frame when the handler reads no messages', async () => {
    const { answers, code } = await send(
      async (websocket) => {
        await websocket.closed;
        websocket.send('too late');
      },
      text('unread'),
      END,
    );
    expect(answers).toEqual([]);
    expect(code).toBe(4000);
  });

  test('are still sent when isClosed() is true and the signal is aborted', async () => {
    const seen: unknown[] = [];
    await send(
      async (websocket) => {
        const { signal } = websocket;
        for await (const message of websocket) {
          seen.push([websocket.isClosed(), signal.aborted, await websocket.send(message)]);
        }
      },
      text('1'),
      END,
    );
    expect(seen).toEqual([[true, true, true]]);
  });

  test('end when the handler calls close(), which answers with the code of the peer', async () => {
    const { answers, code } = await send(
      async (websocket) => {
        websocket.send((await websocket.wait())!);
        void websocket.close(4999, 'not this one');
      },
      text('1'),
      text('2'),
      END,
    );
    expect(answers).toEqual(['1']);
    expect(code).toBe(4000);
  });

  test('that are buffered for a peer that does not read resolve with false after closeTimeout', async () => {
    const answers = defer<unknown>();
    const site = await serve(
      requireWebsocket(
        async ({ websocket }) => {
          // More than the kernel buffers hold.
          for await (const message of websocket) {
            answers.resolve([message, await websocket.send(Buffer.alloc(24 * 2 ** 20))]);
          }
        },
        { closeTimeout: 50 },
      ),
    );
    const client = await openRaw(site.port);
    client.socket.pause();
    client.write(Buffer.concat([text('last'), close(1000)]));
    expect(await within(answers.promise, 'answer of send()')).toEqual(['last', false]);
    client.destroy();
  });

  test('are lost, and wasClean is false, when the connection breaks before our close frame', async () => {
    const { websocket, req, client } = await openPair();
    const { closed } = websocket;
    websocket.signal.addEventListener('abort', () => req.socket.destroy());
    client.ws.close(4000, 'bye');
    expect(await within(closed, 'end')).toEqual({ code: 4000, reason: 'bye', wasClean: false });
    await client.closed();
  });
});

describe('a message of more than maxPayload', () => {
  test('closes with 1009, a reason with the limit, and one warning for each route', async () => {
    const warnings = watchWarnings();
    const { site, client, websocket } = await openPair({ maxPayload: 1_000 });
    client.send('x'.repeat(1_001));
    expect(await client.closed()).toEqual({ code: 1009, reason: 'a message may have at most 1000 bytes' });
    expect(await websocket.closed).toMatchObject({
      code: 1009,
      reason: 'a message may have at most 1000 bytes',
    });
    const { code, message } = await warnings.next();
    expect(code).toBe('WEBSOCKET_TOO_BIG');
    expect(message).toMatch(/more than 1000 bytes to \/ .*raise the option maxPayload/);
    const other = await connect(site);
    other.send('x'.repeat(1_001));
    await other.closed();
    expect(warnings.rest()).toEqual([]);
  });

  test('does not change the reason when the peer itself closes with 1009', async () => {
    const { client, websocket } = await openPair();
    await client.close(1009, 'mine');
    expect(await websocket.closed).toMatchObject({ code: 1009, reason: 'mine' });
  });
});

describe('isClosed', () => {
  test('is true when the peer has closed, even if there are unread messages', async () => {
    const { websocket, client } = await openPair();
    expect(websocket.isClosed()).toBe(false);
    client.send('unread');
    await client.close();
    await websocket.closed;
    expect(websocket.isClosed()).toBe(true);
    expect(websocket.hasMessages()).toBe(true);
  });

  test('is true at once when this side closes', async () => {
    const { websocket } = await openPair();
    void websocket.close();
    expect(websocket.isClosed()).toBe(true);
  });
});

describe('closed', () => {
  test('resolves with the code and reason of a peer that closed first', async () => {
    const { websocket, client } = await openPair();
    await client.close(4321, 'fini');
    expect(await websocket.closed).toEqual({ code: 4321, reason: 'fini', wasClean: true });
    expect(await websocket.closed).toEqual(await websocket.closed);
  });

  test('resolves with 1005 for a close frame without a code', async () => {
    const { websocket, client } = await openPair();
    await client.close();
    expect(await websocket.closed).toEqual({ code: 1005, reason: '', wasClean: true });
  });

  test('resolves with 1006 when the peer vanishes', async () => {
    const { websocket, client } = await openPair();
    await client.vanish();
    expect(await websocket.closed).toEqual({ code: 1006, reason: '', wasClean: false });
  });

  test('resolves with our code when the peer answers with another code', async () => {
    const websockets = defer<Websocket>();
    const site = await serve(
      requireWebsocket(async ({ websocket }) => {
        websockets.resolve(websocket);
        await websocket.close(4001, 'ours');
      }),
    );
    const client = await openRaw(site.port);
    await client.nextFrame();
    client.write(close(4002, 'theirs'));
    expect(await (await websockets.promise).closed).toMatchObject({ code: 4001, reason: 'ours' });
    client.destroy();
  });
});

describe('a close frame after messages that fill the queue', () => {
  const lastOnes = Buffer.concat([text('first'), text('second'), close(4001, 'theirs')]);

  /** Opens a websocket whose queue is full: further messages and a close frame wait in the reader. */
  async function openFull() {
    const opened = defer<Websocket>();
    const site = await serve(
      requireWebsocket(
        async ({ websocket }) => {
          opened.resolve(websocket);
          await websocket.closed;
        },
        { maxQueue: 1 },
      ),
    );
    const client = await openRaw(site.port, { early: lastOnes });
    const websocket = await opened.promise;
    while (!websocket.hasMessages()) await new Promise(setImmediate);
    return { websocket, client };
  }

  test('is read after the messages before it', async () => {
    const { websocket, client } = await openFull();
    expect(websocket.isClosed()).toBe(false);
    expect([await websocket.wait(), await websocket.wait(), await websocket.wait()]).toEqual([
      'first',
      'second',
      null,
    ]);
    expect(await websocket.closed).toEqual({ code: 4001, reason: 'theirs', wasClean: true });
    expect(closeCodeOf((await client.nextFrame())!)).toBe(4001);
    client.destroy();
  });

  test('does not change the code that close() sends', async () => {
    const { websocket, client } = await openFull();
    void websocket.close(4000, 'ours');
    const frame = (await client.nextFrame())!;
    expect([closeCodeOf(frame), frame.payload.toString('utf8', 2)]).toEqual([4000, 'ours']);
    expect(await websocket.closed).toEqual({ code: 4000, reason: 'ours', wasClean: true });
    client.destroy();
  });
});

describe('a client that leaves right after its last messages', () => {
  const compressed = (message: string) => {
    const bytes = deflateRawSync(message, { finishFlush: constants.Z_SYNC_FLUSH });
    return text(bytes.subarray(0, -4), { rsv: 4 });
  };

  test.for([
    ['plain', 'a close frame', { code: 4001, reason: 'bye', wasClean: true }],
    ['plain', 'FIN', { code: 1006, reason: '', wasClean: false }],
    // FIN arrives while ws decompresses the first message. Then it is too late for an answer.
    ['compressed', 'a close frame', { code: 4001, reason: 'bye', wasClean: false }],
    ['compressed', 'FIN', { code: 1006, reason: '', wasClean: false }],
  ] as const)('loses no %s messages, and closed resolves with its code (%s)', async ([kind, how, end]) => {
    const told = defer<unknown[]>();
    const site = await serve(
      requireWebsocket(
        async ({ websocket }) => {
          const messages: unknown[] = [];
          for await (const message of websocket) messages.push(message);
          told.resolve([...messages, await websocket.closed]);
        },
        { perMessageDeflate: kind === 'compressed' },
      ),
    );
    const client = await openRaw(site.port, {
      headers: { 'Sec-WebSocket-Extensions': kind === 'compressed' ? 'permessage-deflate' : undefined },
    });
    const encode = kind === 'compressed' ? compressed : text;
    const frames = ['one', 'two', 'three'].map((message) => encode(message));
    client.socket.end(Buffer.concat([...frames, ...(how === 'FIN' ? [] : [close(4001, 'bye')])]));
    expect(await within(told.promise, 'end of the handler')).toEqual(['one', 'two', 'three', end]);
  });
});

describe('signal', () => {
  test('is aborted with a WebsocketClosedError when the websocket closes', async () => {
    const { websocket, client } = await openPair();
    const { signal } = websocket;
    expect(signal.aborted).toBe(false);
    const aborted = once(signal, 'abort');
    await client.close(4000, 'gone');
    await aborted;
    expect(signal.reason).toBeInstanceOf(WebsocketClosedError);
    expect(signal.reason).toMatchObject({ closeCode: 4000, closeReason: 'gone' });
  });

  test('is the same object each time, and already aborted if it is created after the close', async () => {
    const { websocket, client } = await openPair();
    await client.close();
    await websocket.closed;
    expect(websocket.signal.aborted).toBe(true);
    expect(websocket.signal).toBe(websocket.signal);
  });

  test('is aborted as soon as this side begins to close', async () => {
    const { websocket } = await openPair();
    const { signal } = websocket;
    void websocket.close();
    expect(signal.aborted).toBe(true);
  });
});
