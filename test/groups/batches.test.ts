import { describe, expect, test } from 'vitest';
import { Availability } from '../../src/groups/availability.js';
import { type BatchedMessage, Batches } from '../../src/groups/batches.js';
import { BackplaneError } from '../../src/groups/errors.js';
import { defer } from '../support/inbox.js';

interface Sending {
  readonly batch: readonly BatchedMessage[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

function open({ parallel = 1, maxBuffered = 2 ** 24 } = {}) {
  const events: string[] = [];
  const availability = new Availability('testBackplane');
  availability.start({
    message: () => {},
    cutOff: (error) => events.push(`cutOff: ${error.message}`),
    back: () => events.push('back'),
    missed: () => {},
    dropped: () => {},
  });
  const sendings: Sending[] = [];
  const batches = new Batches({
    service: 'the test',
    availability,
    maxBuffered,
    parallel,
    canSend: () => availability.isUp(),
    send: (batch) => {
      const { promise, resolve, reject } = defer();
      sendings.push({ batch, resolve, reject });
      return promise;
    },
  });
  const texts = () => sendings.map(({ batch }) => batch.map(({ data }) => String(data)).join(' '));
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const add = (text: string): Promise<string> =>
    batches.add('a', Buffer.from(text)).then(
      () => 'sent',
      (error: unknown) => (error as BackplaneError).code.replace('ERR_WEBSOCKET_BACKPLANE_', ''),
    );
  return { availability, batches, sendings, texts, turn, add, events };
}

describe('batches', () => {
  test('hold the messages of one turn, and then those that came while one was in flight', async () => {
    const { availability, sendings, texts, turn, add } = open();
    availability.becomeUp();
    const first = [add('1'), add('2')];
    await turn();
    const second = [add('3'), add('4')];
    await turn();
    expect(texts()).toEqual(['1 2']);
    sendings[0]!.resolve();
    expect(await Promise.all(first)).toEqual(['sent', 'sent']);
    await turn();
    expect(texts()).toEqual(['1 2', '3 4']);
    sendings[1]!.resolve();
    expect(await Promise.all(second)).toEqual(['sent', 'sent']);
  });

  test('have at most 1,000 messages and 1 MiB, but at least one message', async () => {
    const { availability, sendings, turn, add } = open({ parallel: 100 });
    availability.becomeUp();
    for (let count = 0; count < 1_500; count++) void add('x');
    for (let count = 0; count < 3; count++) void add('y'.repeat(400_000));
    void add('z'.repeat(2 ** 21));
    await turn();
    expect(sendings.map(({ batch }) => batch.length)).toEqual([1_000, 502, 1, 1]);
    for (const { resolve } of sendings) resolve();
  });

  test('wait during the start, and go out when it has succeeded', async () => {
    const { availability, batches, sendings, texts, turn, add } = open();
    const sent = add('early');
    await turn();
    expect(texts()).toEqual([]);
    availability.becomeUp();
    batches.flush();
    await turn();
    expect(texts()).toEqual(['early']);
    sendings[0]!.resolve();
    expect(await sent).toBe('sent');
  });

  test('fail with an outage: what waits, what is in flight, and what comes later', async () => {
    const { availability, batches, turn, add, sendings } = open();
    availability.becomeUp();
    const inFlight = add('1');
    await turn();
    const waiting = add('2');
    const error = new BackplaneError('ERR_WEBSOCKET_BACKPLANE_CUT_OFF', 'away');
    availability.becomeCut(error);
    batches.failAll(error);
    expect(await Promise.all([inFlight, waiting, add('3')])).toEqual(['CUT_OFF', 'CUT_OFF', 'CUT_OFF']);
    sendings[0]!.resolve();
    await turn();
    availability.becomeUp();
    const after = add('4');
    await turn();
    sendings[1]!.resolve();
    expect(await after).toBe('sent');
  });

  test('report one message that failed apart from the others', async () => {
    const { availability, sendings, turn, add } = open();
    availability.becomeUp();
    const results = [add('1'), add('2'), add('3')];
    await turn();
    sendings[0]!.batch[1]!.fail(new BackplaneError('ERR_WEBSOCKET_BACKPLANE_REFUSED', 'no'));
    sendings[0]!.resolve();
    expect(await Promise.all(results)).toEqual(['sent', 'REFUSED', 'sent']);
  });

  test('take no more memory than maxBuffered, and all of it again when messages are confirmed', async () => {
    const { availability, sendings, turn, add } = open({ maxBuffered: 10_000 });
    availability.becomeUp();
    const round = async (): Promise<string[]> => {
      const results = Array.from({ length: 10 }, () => add('x'.repeat(1_000)));
      await turn();
      for (const { resolve } of sendings.splice(0)) resolve();
      return await Promise.all(results);
    };
    const expected = [...Array<string>(5).fill('sent'), ...Array<string>(5).fill('FULL')];
    expect(await round()).toEqual(expected);
    expect(await round()).toEqual(expected);
  });

  test('are sent before close resolves, and fail when that takes too long', async () => {
    const { availability, batches, sendings, turn, add } = open();
    availability.becomeUp();
    const sent = add('1');
    const closing = batches.close(10_000);
    expect(await add('2')).toBe('CLOSED');
    await turn();
    sendings[0]!.resolve();
    await closing;
    expect(await sent).toBe('sent');
    await batches.close(10_000);

    const other = open();
    other.availability.becomeUp();
    const stuck = other.add('3');
    await other.batches.close(10);
    expect(await stuck).toBe('CLOSED');
  });
});

describe('availability', () => {
  test('calls cutOff and back once for each outage, and not for the start', async () => {
    const { availability, events } = open();
    availability.becomeUp();
    availability.becomeUp();
    expect(availability.becomeCut(new Error('one'))).toBe(true);
    expect(availability.becomeCut(new Error('two'))).toBe(false);
    await expect(availability.untilUp()).rejects.toThrow('two');
    availability.becomeUp();
    await availability.untilUp();
    availability.becomeCut(new Error('three'));
    availability.close();
    availability.becomeUp();
    expect(events).toEqual(['cutOff: one', 'back', 'cutOff: three']);
    await expect(availability.untilUp()).rejects.toThrow('closed');
  });
});
