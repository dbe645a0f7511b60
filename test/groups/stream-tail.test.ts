import { describe, expect, test } from 'vitest';
import type { Position, StreamEntry, StreamId, StreamPage } from '../../src/groups/redis/stream-entry.js';
import { StreamTail } from '../../src/groups/redis/stream-tail.js';

type Row = [id: string, data: string];

const PAGE = 100;

function toEntry([id, data]: Row): StreamEntry {
  const [era, index] = id.split('-');
  return { id: { era: era!, index: Number(index) }, data: Buffer.from(data) };
}

/** Creates a stream in memory, and a tail that reads it. */
async function openTail(rows: Row[], { maxAge = 60_000, reach = 60_000, time = 0, isKept = false } = {}) {
  let stream = rows.map(toEntry);
  const got: string[] = [];
  const missed: (number | undefined)[] = [];
  const reads: string[] = [];
  let failures = 0;
  let beforeReply = () => {};
  let whenMissed = () => {};
  const isFrom = (entry: StreamEntry, id: StreamId) =>
    Number(entry.id.era) - Number(id.era) || entry.id.index - id.index;
  const positionOf = ({ id, data }: StreamEntry): Position => ({ id, mark: data.toString('latin1', 0, 32) });
  const none = () => ({ kind: 'none', now: String(time) }) as const;
  const page = (entries: StreamEntry[], last?: StreamEntry): StreamPage => ({
    kind: 'entries',
    entries: entries.slice(0, PAGE),
    isMore: entries.length > PAGE,
    last: last && positionOf(last),
  });
  let failing: string | undefined;
  const reply = <Reply>(command: string, value: Reply): Promise<Reply> => {
    beforeReply();
    if (command !== failing) return Promise.resolve(value);
    failing = undefined;
    return Promise.reject(new Error('cut off'));
  };
  const tail = new StreamTail({
    maxAge,
    isKept,
    reach,
    stream: {
      // `async` turns a throw into a rejection.
      async after(position) {
        reads.push(`after ${position.id.era}-${position.id.index}`);
        if (stream.length === 0) return reply('after', none());
        const at = stream.find((entry) => isFrom(entry, position.id) === 0);
        const isThere = at !== undefined && positionOf(at).mark === position.mark;
        if (!isThere) return reply('after', page(stream, stream.at(-1)));
        return reply('after', page(stream.filter((entry) => isFrom(entry, position.id) > 0)));
      },
      async from(id) {
        reads.push('from');
        return reply(
          'from',
          page(id === undefined ? stream : stream.filter((entry) => isFrom(entry, id) >= 0)),
        );
      },
      async note(era) {
        const last = stream.at(-1);
        if (last === undefined ? isKept : Number(last.id.era) <= Number(era))
          stream.push(toEntry([`${Number(era) + 1}-0`, '']));
        return reply('note', undefined);
      },
      async readEnd() {
        reads.push('readEnd');
        return reply('readEnd', stream.length === 0 ? none() : page([], stream.at(-1)));
      },
    },
    deliver: (data) => got.push(data.toString()),
    missed: (count) => {
      missed.push(count);
      whenMissed();
    },
    failed: () => failures++,
  });
  await tail.begin();
  return {
    tail,
    got,
    missed,
    reads,
    failures: () => failures,
    /** Replaces all entries of the stream. */
    replace: (...news: Row[]) => (stream = news.map(toEntry)),
    /** Adds an entry like Redis: in the era of the last one. */
    append: (data: string) => {
      const { era, index } = stream.at(-1)?.id ?? { era: '9', index: 0 };
      stream = [...stream, toEntry([`${era}-${index + 1}`, data])];
    },
    failNext: (command: string | undefined) => (failing = command),
    add: (...news: Row[]) => (stream = [...stream, ...news.map(toEntry)]),
    publish: ([id, data]: Row, previous = markBefore(id), cutFor = 0) => {
      const [idLength, markLength] = [id.length, previous.length].map((length) =>
        String.fromCharCode(length),
      );
      tail.take(Buffer.from(idLength! + id + markLength! + previous + data), cutFor);
    },
    whenMissed: (action: () => void) => (whenMissed = action),
    whileReading: (action: () => void) => (beforeReply = action),
  };
}

const rows = (era: number, from: number, to: number): Row[] =>
  Array.from({ length: to - from + 1 }, (_, index) => [`${era}-${from + index}`, `${era}:${from + index}`]);

/** Returns the mark of the previous entry, as `rows` creates them. */
function markBefore(id: string): string {
  const [era, index] = id.split('-').map(Number);
  return index! > 1 ? `${era}:${index! - 1}` : '';
}

const texts = (list: Row[]) => list.map(([, data]) => data);

describe('while it is connected', () => {
  test('begins at the end, and delivers published entries without reading', async () => {
    const { publish, got, reads } = await openTail(rows(1, 1, 3));
    for (const row of rows(1, 4, 6)) publish(row);
    expect(got).toEqual(['1:4', '1:5', '1:6']);
    expect(reads).toEqual(['readEnd']);
  });

  test('delivers no entry twice', async () => {
    const { publish, got } = await openTail(rows(1, 1, 3));
    for (const row of [...rows(1, 2, 5), ...rows(1, 4, 6)]) publish(row);
    expect(got).toEqual(['1:4', '1:5', '1:6']);
  });

  test('reads missing entries', async () => {
    const { tail, publish, add, got, missed } = await openTail(rows(1, 1, 3));
    add(...rows(1, 4, 6));
    publish(rows(1, 6, 6)[0]!);
    await tail.catchUp(0);
    expect([got, missed]).toEqual([['1:4', '1:5', '1:6'], []]);
  });

  test('calls `failed` when it cannot read missing entries', async () => {
    const { tail, publish, add, whileReading, failures, got } = await openTail(rows(1, 1, 3));
    add(...rows(1, 4, 6));
    whileReading(() => {
      whileReading(() => {});
      throw new Error('CLUSTERDOWN');
    });
    publish(rows(1, 6, 6)[0]!);
    await new Promise((resolve) => setImmediate(resolve));
    expect([failures(), got]).toEqual([1, []]);
    await tail.catchUp(0);
    expect(got).toEqual(['1:4', '1:5', '1:6']);
  });

  test('does not trust an entry with the next id and another previous mark', async () => {
    const { tail, publish, replace, got, missed } = await openTail(rows(1, 1, 3));
    for (const row of rows(1, 4, 6)) publish(row);
    // Redis has lost 5 and 6, and the new 5 and 6 have not arrived.
    replace(...rows(1, 1, 4), ['1-5', 'new 5'], ['1-6', 'new 6'], ['1-7', 'new 7']);
    publish(['1-7', 'new 7'], 'new 6');
    await tail.catchUp(0);
    expect(got.slice(3)).toEqual(['1:4', 'new 5', 'new 6', 'new 7']);
    expect(missed).toEqual([undefined]);
  });

  test('reads a stream that begins during an outage, because it may have replaced another one', async () => {
    const { tail, publish, replace, got, missed } = await openTail(rows(1, 1, 3));
    replace(...rows(7, 1, 2));
    publish(rows(7, 2, 2)[0]!, '7:1', 10);
    await tail.catchUp(10);
    expect([got, missed]).toEqual([texts(rows(7, 1, 2)), [undefined]]);
    const live = await openTail(rows(1, 1, 3));
    live.replace(...rows(7, 1, 1));
    live.publish(rows(7, 1, 1)[0]!, '', 10);
    await live.tail.catchUp(10);
    expect([live.got, live.missed]).toEqual([['7:1'], [undefined]]);
  });

  test('delivers a stream that begins while connected from its first entry', async () => {
    const { publish, got, missed } = await openTail([]);
    for (const row of [...rows(7, 1, 2), ...rows(9, 1, 2)]) publish(row);
    expect([got, missed]).toEqual([['7:1', '7:2', '9:1', '9:2'], []]);
  });

  test('passes invalid messages to the group, which ignores them', async () => {
    const { tail, got } = await openTail([]);
    tail.take(Buffer.from('hello'), 0);
    tail.take(Buffer.alloc(0), 0);
    expect(got).toEqual(['hello', '']);
  });
});

describe('after an outage', () => {
  test('reads all missed entries page by page, and those that are published meanwhile, in order', async () => {
    const { tail, add, publish, whileReading, got, missed } = await openTail(rows(1, 1, 3));
    add(...rows(1, 4, 1_003));
    let late = 1_004;
    whileReading(() => {
      if (late > 1_010) return;
      const next = rows(1, late, late++);
      add(...next);
      publish(next[0]!);
    });
    while (got.length < 1_007) await tail.catchUp(1_000);
    expect(got).toEqual(texts(rows(1, 4, 1_010)));
    publish(rows(1, 1_011, 1_011)[0]!);
    expect(got).toHaveLength(1_008);
    expect(missed).toEqual([]);
  });

  test('catches up when it has read the missed entries, even if new ones keep coming', async () => {
    const { tail, add, publish, whileReading, got } = await openTail(rows(1, 1, 3));
    add(...rows(1, 4, 6));
    let next = 7;
    let isOver = false;
    whileReading(() => {
      if (isOver) return;
      const row = rows(1, next, next++)[0]!;
      add(row);
      publish(row);
      // Otherwise the test would never end.
      if (next > 1_000) throw new Error('it still reads');
    });
    await tail.catchUp(1_000);
    expect(got).toEqual(texts(rows(1, 4, 6)));
    isOver = true;
    while (got.length < next - 4) await tail.catchUp(0);
    expect(got).toEqual(texts(rows(1, 4, next - 1)));
  });

  test('reports no loss if nothing was published', async () => {
    const { tail, got, missed } = await openTail(rows(1, 1, 3));
    await tail.catchUp(1_000);
    expect([got, missed]).toEqual([[], []]);
  });

  test('reports the number of missing entries if the outage was longer than the stream', async () => {
    const { tail, replace, got, missed } = await openTail(rows(1, 1, 3));
    replace(...rows(1, 10, 12));
    await tail.catchUp(1_000);
    expect([got, missed]).toEqual([texts(rows(1, 10, 12)), [6]]);
  });

  test('also reports it if no stream existed before the outage', async () => {
    const { tail, replace, got, missed } = await openTail([]);
    replace(...rows(1, 10, 12));
    await tail.catchUp(1_000);
    expect([got, missed]).toEqual([texts(rows(1, 10, 12)), [9]]);
  });

  test('reports a loss if no stream existed, because one may have begun and expired meanwhile', async () => {
    const [short, long, both] = [await openTail([]), await openTail([]), await openTail([])];
    both.replace(...rows(2, 10, 12));
    await Promise.all([short.tail.catchUp(59_999), long.tail.catchUp(60_000), both.tail.catchUp(60_000)]);
    expect([short.missed, long.missed, both.missed]).toEqual([[], [undefined], [undefined]]);
    expect(both.got).toEqual(texts(rows(2, 10, 12)));
  });

  test('reports no loss if no stream existed and the new one is complete', async () => {
    const { tail, replace, got, missed } = await openTail([]);
    replace(...rows(1, 1, 3));
    await tail.catchUp(1_000);
    expect([got, missed]).toEqual([texts(rows(1, 1, 3)), []]);
  });

  test('reports no loss if only received entries were trimmed', async () => {
    const { tail, replace, got, missed } = await openTail(rows(1, 1, 3));
    replace(...rows(1, 4, 6));
    await tail.catchUp(1_000);
    expect([got, missed]).toEqual([texts(rows(1, 4, 6)), []]);
  });

  test('reports a loss if Redis has lost the stream, and delivers the new one', async () => {
    const { tail, replace, publish, got, missed } = await openTail(rows(1, 1, 3));
    replace(...rows(5, 1, 2));
    await tail.catchUp(1_000);
    publish(rows(5, 3, 3)[0]!);
    expect([got, missed]).toEqual([texts(rows(5, 1, 3)), [undefined]]);
  });

  test('detects that Redis has returned to an earlier state, and delivers all later entries', async () => {
    const { tail, replace, publish, got, missed } = await openTail(rows(1, 1, 3));
    for (const row of rows(1, 4, 9)) publish(row);
    got.length = 0;
    // Redis has lost 8 and 9, and other entries have their ids.
    replace(...rows(1, 1, 7), ['1-8', 'new 8'], ['1-9', 'new 9'], ['1-10', 'new 10']);
    await tail.catchUp(1_000);
    expect([got, missed]).toEqual([[...texts(rows(1, 4, 7)), 'new 8', 'new 9', 'new 10'], [undefined]]);
  });

  test('also does so if no stream existed when it began', async () => {
    const { tail, replace, publish, got, missed } = await openTail([]);
    for (const row of rows(1, 1, 3)) publish(row);
    got.length = 0;
    replace(...rows(1, 1, 1), ['1-2', 'new 2']);
    await tail.catchUp(1_000);
    expect([got, missed]).toEqual([['1:1', 'new 2'], [undefined]]);
  });

  test('reads again only from the latest possible place', async () => {
    const { tail, replace, publish, reads } = await openTail(rows(1, 1, 3), { reach: 0 });
    for (const row of rows(1, 4, 9)) publish(row);
    replace(...rows(1, 1, 8), ['1-9', 'new 9']);
    await tail.catchUp(1_000);
    expect(reads).toEqual(['readEnd', 'after 1-9', 'after 1-8']);
  });

  test('delivers only larger ids if the earlier place is lost, too', async () => {
    const { tail, replace, got, missed } = await openTail(rows(1, 1, 9));
    replace(...rows(1, 1, 7), ['1-8', 'new 8'], ['1-9', 'new 9'], ['1-10', 'new 10']);
    await tail.catchUp(1_000);
    // The tail cannot know whether "new 8" is from before it began.
    expect([got, missed]).toEqual([['new 9', 'new 10'], [undefined]]);
  });

  test('delivers no old entry if Redis has returned to a state from before it began, and continues at the end', async () => {
    const { tail, replace, publish, got, missed } = await openTail(rows(1, 1, 9));
    replace(...rows(1, 1, 4), ['1-5', 'new 5']);
    await tail.catchUp(1_000);
    publish(['2-1', 'new 6']);
    expect([got, missed]).toEqual([['new 6'], [undefined]]);
  });

  test('adds a note for tails that had received no lost entry, and each reports the loss once', async () => {
    const knows = await openTail(rows(1, 1, 9));
    knows.replace(...rows(1, 1, 7));
    await knows.tail.catchUp(1_000);
    expect(knows.missed).toEqual([undefined]);
    await knows.tail.catchUp(1_000);
    expect(knows.missed).toEqual([undefined]);

    const [live, late] = [await openTail(rows(1, 1, 7)), await openTail(rows(1, 1, 6))];
    for (const { replace } of [live, late]) replace(...rows(1, 1, 7), ['2-0', ''], ['2-1', 'new']);
    live.publish(['2-0', '']);
    await live.tail.catchUp(0);
    await late.tail.catchUp(1_000);
    expect([live.got, live.missed]).toEqual([['new'], [undefined]]);
    expect([late.got, late.missed]).toEqual([['1:7', 'new'], [undefined]]);
  });

  test('a note that was trimmed before it was read does not hide the next one', async () => {
    const { tail, replace, whileReading, got, missed } = await openTail(rows(1, 1, 9));
    replace(...rows(1, 1, 7));
    let replies = 0;
    // The second command adds the note.
    whileReading(() => {
      if (++replies === 2) replace(...rows(5, 2, 3));
    });
    await tail.catchUp(1_000);
    expect([got, missed]).toEqual([texts(rows(5, 2, 3)), [undefined]]);
    replace(...rows(5, 2, 3), ['6-0', ''], ['6-1', 'new']);
    await tail.catchUp(1_000);
    expect([got.at(-1), missed]).toEqual(['new', [undefined, undefined]]);
  });

  describe('a message that is sent directly after the report of a loss arrives', () => {
    const losses: Record<string, { has: Row[]; then: Row[]; time?: number }> = {
      'set back': { has: rows(1, 1, 9), then: rows(1, 1, 4) },
      'set back, and others have gone on': {
        has: rows(1, 1, 9),
        then: [...rows(1, 1, 4), ['1-5', 'new 5']],
      },
      'set back, and another has left a note': {
        has: rows(1, 1, 9),
        then: [...rows(1, 1, 4), ['2-0', '']],
      },
      'set back a second time': {
        has: [...rows(1, 1, 3), ['2-0', ''], ...rows(2, 1, 9)],
        then: [...rows(1, 1, 3), ['2-0', ''], ...rows(2, 1, 4), ['2-5', 'new 5']],
      },
      'set back to before it was set back': {
        has: [...rows(1, 1, 3), ['2-0', ''], ...rows(2, 1, 9)],
        then: [...rows(1, 1, 2), ['1-3', 'new 3']],
      },
      'an older stream': { has: rows(9, 1, 3), then: rows(5, 1, 2) },
      'a stream older than none': { has: [], time: 7, then: rows(5, 1, 2) },
      'a newer stream': { has: rows(1, 1, 3), then: rows(5, 1, 2) },
      'no stream': { has: rows(1, 1, 3), then: [] },
      trimmed: { has: rows(1, 1, 3), then: rows(1, 7, 9) },
      'trimmed where there was no stream': { has: [], then: rows(1, 7, 9) },
    };

    test.for(Object.entries(losses))('%s', async ([, { has, then, time = 0 }]) => {
      const { tail, replace, append, whenMissed, got, missed } = await openTail(has, { time });
      replace(...then);
      whenMissed(() => {
        whenMissed(() => {});
        append('after');
      });
      await tail.catchUp(1_000);
      await tail.catchUp(1_000);
      expect(missed).toHaveLength(1);
      expect(got.at(-1)).toBe('after');
    });

    test.for(['after', 'from', 'readEnd', 'note'] as const)(
      'a loss is reported once if "%s" fails first',
      async (command) => {
        for (const { has, then, time = 0 } of Object.values(losses)) {
          const { tail, replace, failNext, missed } = await openTail(has, { time });
          replace(...then);
          failNext(command);
          const isFailing = await tail.catchUp(1_000).then(
            () => false,
            () => true,
          );
          expect(missed).toHaveLength(isFailing ? 0 : 1);
          failNext(undefined);
          await tail.catchUp(1_000);
          expect(missed).toHaveLength(1);
        }
      },
    );
  });

  test('delivers no entry of an earlier era, and continues at the end', async () => {
    const { tail, replace, publish, got, missed } = await openTail(rows(9, 1, 3));
    replace(...rows(5, 1, 2));
    await tail.catchUp(1_000);
    publish(['10-1', 'new']);
    expect([got, missed]).toEqual([['new'], [undefined]]);
  });

  test('works the same way when Redis returns to an earlier state again', async () => {
    const all = [...rows(1, 1, 3), ['2-0', ''] satisfies Row, ...rows(2, 1, 9)];
    const knows = await openTail(all.slice(0, 7));
    knows.add(...all.slice(7));
    await knows.tail.catchUp(0);
    const had = await openTail(all.slice(0, 9));
    const news: Row[] = [...all.slice(0, 9), ['2-6', 'new 6']];
    knows.replace(...news);
    await knows.tail.catchUp(1_000);
    knows.publish(['3-1', 'new 7']);
    expect(knows.got.slice(-2)).toEqual(['new 6', 'new 7']);
    expect(knows.missed).toEqual([undefined]);
    had.replace(...news, ['3-0', ''], ['3-1', 'new 7']);
    await had.tail.catchUp(1_000);
    expect([had.got, had.missed]).toEqual([['new 6', 'new 7'], [undefined]]);
  });

  test('delivers no entry of a stream that is older than the time without a stream', async () => {
    const { tail, replace, publish, got, missed } = await openTail([], { time: 7 });
    replace(...rows(5, 1, 2));
    await tail.catchUp(1_000);
    publish(rows(5, 3, 3)[0]!);
    expect([got, missed]).toEqual([['5:3'], [undefined]]);
  });

  test('detects without an outage that another entry has the id of its last one', async () => {
    const { tail, replace, publish, got, missed } = await openTail(rows(1, 1, 3));
    replace(...rows(1, 1, 2), ['1-3', 'new 3']);
    publish(['1-3', 'new 3']);
    await tail.catchUp(0);
    expect([got, missed]).toEqual([['new 3'], [undefined]]);
  });

  test('reports no loss if the stream has expired, unless the outage was as long', async () => {
    const idle = await openTail(rows(1, 1, 3), { maxAge: 1 });
    const cut = await openTail(rows(1, 1, 3), { maxAge: 1 });
    const young = await openTail(rows(1, 1, 3), { maxAge: 60_000 });
    for (const { replace } of [idle, cut, young]) replace();
    const start = performance.now();
    while (performance.now() - start < 2) await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([idle.tail.catchUp(0.5), cut.tail.catchUp(2), young.tail.catchUp(0.5)]);
    expect([idle.missed, cut.missed, young.missed]).toEqual([[], [undefined], [undefined]]);
    idle.publish(rows(4, 1, 1)[0]!);
    expect(idle.got).toEqual(['4:1']);
  });

  test('can be called again after a second outage during the read', async () => {
    const { tail, add, whileReading, got } = await openTail(rows(1, 1, 3));
    add(...rows(1, 4, 5));
    whileReading(() => {
      whileReading(() => {});
      throw new Error('cut off');
    });
    await expect(tail.catchUp(1_000)).rejects.toThrow('cut off');
    await tail.catchUp(1_000);
    expect(got).toEqual(['1:4', '1:5']);
  });
});

test('a tail that is stopped delivers nothing more, also what it is reading', async () => {
  const { tail, add, got, whileReading } = await openTail(rows(1, 1, 3));
  add(...rows(1, 4, 6));
  whileReading(() => tail.stop());
  await tail.catchUp(100);
  expect(got).toEqual([]);
});

describe('where groups have a history', () => {
  test('a lost stream gets a note, and everything after it is delivered', async () => {
    const { tail, replace, add, got, missed } = await openTail(rows(1, 1, 3), { isKept: true });
    replace();
    await tail.catchUp(100);
    expect(missed).toEqual([undefined]);
    add(...rows(2, 1, 2));
    await tail.catchUp(100);
    expect([got, missed]).toEqual([['2:1', '2:2'], [undefined]]);
  });

  test('so does a stream that has begun anew, and its messages are delivered, too', async () => {
    const { tail, replace, add, got, missed } = await openTail(rows(1, 1, 3), { isKept: true });
    replace(...rows(2, 1, 2));
    await tail.catchUp(100);
    add(...rows(3, 1, 1));
    await tail.catchUp(100);
    expect([got, missed]).toEqual([['2:1', '2:2', '3:1'], [undefined]]);
  });
});
