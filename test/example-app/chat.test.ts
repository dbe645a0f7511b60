import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import request from 'supertest';
import { closeClients, connect } from 'dwebsocket/testing';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { createRooms } from '../../example-app/chat-rooms.js';
import { Chatter } from './chatter.js';
import { useApp } from './running-app.js';

// The chat in one process, without a browser.

const app = useApp();
afterEach(closeClients);

const enter = (room: string, name: string, since?: string) => Chatter.enter(app.origin, room, name, since);

test('/chat/ leads to a room', async () => {
  const answer = await request(app.server).get('/chat/').redirects(1);
  expect(answer.redirects[0]).toMatch(/\/chat\/lobby\/$/);
  expect(answer.text).toMatch('Who is here');
});

test.each(['a.b', 'two words', '<b>', 'x'.repeat(41)])('%j is not a room: 404', async (name) => {
  expect((await request(app.server).get(`/chat/${encodeURIComponent(name)}/`)).status).toBe(404);
  await expect(connect(app.origin, `/chat/${encodeURIComponent(name)}/?name=Ada`)).rejects.toMatchObject({
    status: 404,
  });
});

test('all members of a room get its messages, and nobody else does', async () => {
  const ada = await enter('客厅', 'Ada');
  const bob = await enter('客厅', 'Bob');
  const eve = await enter('kitchen', 'Eve');
  ada.say('  hello  ');
  ada.say('   ');
  await bob.untilSaid('hello');
  bob.say('你好');
  for (const chatter of [ada, bob]) {
    await chatter.untilSaid('你好');
    expect(chatter.said).toEqual(['hello', '你好']);
  }
  eve.say('alone');
  await eve.untilSaid('alone');
  expect(eve.said).toEqual(['alone']);
});

test('all members of a room see who is there and who has left; two tabs of a person are one person', async () => {
  const ada = await enter('presence', 'Ada');
  expect(ada.people).toEqual(['Ada']);
  const bob = await enter('presence', ' Bob ');
  expect(bob.people).toEqual(['Ada', 'Bob']);
  await ada.untilHere('Ada', 'Bob');

  const tab = await enter('presence', 'Bob');
  expect(tab.people).toEqual(['Ada', 'Bob']);
  bob.client.terminate();
  tab.say('I am still here');
  await ada.untilSaid('I am still here');
  expect(ada.people).toEqual(['Ada', 'Bob']);
  await tab.client.close();
  await ada.untilHere('Ada');
});

test('a new member gets the last twenty messages, even if the room was empty', async () => {
  const ada = await enter('history', 'Ada');
  const texts = Array.from({ length: 25 }, (_, index) => `message ${String(index)}`);
  for (const text of texts) ada.say(text);
  await ada.untilSaid('message 24');
  await ada.client.close();
  const bob = await enter('history', 'Bob');
  expect(bob.said).toEqual(texts.slice(5));
});

test('a member that comes back gets what it has missed, and learns whether anything is missing', async () => {
  const ada = await enter('resume', 'Ada');
  const bob = await enter('resume', 'Bob');
  for (const text of ['one', 'two']) ada.say(text);
  await bob.untilSaid('two');
  bob.client.terminate();
  for (const text of ['three', 'four']) ada.say(text);
  await ada.untilSaid('four');

  const again = await enter('resume', 'Bob', bob.since);
  expect(again.isComplete).toBe(true);
  expect(again.said).toEqual(['three', 'four']);
  const stranger = await enter('resume', 'Eve', '1-1.abcd');
  expect(stranger.isComplete).toBe(false);
  expect(stranger.said).toEqual(['one', 'two', 'three', 'four']);
});

test('a member that knows that messages are missing is told so once', async () => {
  const ada = await enter('missing', 'Ada', '1-1.abcd');
  expect(ada.isComplete).toBe(false);
  const again = await enter('missing', 'Ada', ada.since);
  expect(again.isComplete).toBe(true);
});

test('rooms that strangers open take a limited number of bytes; the room that was silent for longest forgets', async () => {
  const rooms = createRooms();
  onTestFinished(() => rooms.close());
  const count = 20_000;
  for (let number = 0; number < count; number++)
    rooms.group(`chat:${String(number)}`).send({ text: 'hello' });
  const countKept = async (number: number) => (await rooms.group(`chat:${String(number)}`).history()).length;
  const kept = await Promise.all(Array.from({ length: count }, (_, number) => countKept(number)));
  // A room with one message counts as 1,300 bytes and its text, and all rooms have 16 MiB.
  expect(kept.filter((length) => length > 0).length).toBeLessThan(13_000);
  expect([kept[0], kept.at(-1)]).toEqual([0, 1]);
});

describe('what a client should not do', () => {
  test.each(['', '?name=', '?name=%20%20', `?name=${'A'.repeat(31)}`, '?name=Ada&name=Bob'])(
    'a name that is none, %j, closes the websocket with the reason',
    async (query) => {
      const client = await connect(app.origin, `/chat/names/${query}`);
      expect(await client.closed).toMatchObject({
        code: 1008,
        reason: 'the name must have 1 to 30 characters',
      });
      expect((await enter('names', 'Eve')).people).toEqual(['Eve']);
    },
  );

  test('a binary message closes it with 1003, one over the limit with 1009, others that do not fit with 1007', async () => {
    for (const [message, code] of [
      [Buffer.from('hello'), 1003],
      ['x'.repeat(5000), 1009],
      ['x'.repeat(1001), 1007],
      [{ text: 'hello' }, 1007],
    ] as const) {
      const ada = await enter('lobby', 'Ada');
      ada.client.send(message);
      expect((await ada.client.closed).code).toBe(code);
    }
  });

  test('a flood waits its turn: ten messages a second, in order', async () => {
    const ada = await enter('flood', 'Ada');
    const texts = Array.from({ length: 12 }, (_, index) => String(index));
    const start = performance.now();
    for (const text of texts) ada.say(text);
    await ada.untilSaid('11');
    expect(ada.said).toEqual(texts);
    // Eleven pauses of 100 ms; a timer may fire a millisecond early.
    expect(performance.now() - start).toBeGreaterThan(1_050);
  });
});

test('the chat takes fewer than 80 lines on the server', () => {
  const folder = fileURLToPath(new URL('../../example-app/', import.meta.url));
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (name) => /chat/.test(name) && name.endsWith('.ts'),
  );
  expect(files.sort()).toEqual(['chat-rooms.ts', 'routes/chat.ts']);
  const lines = files.flatMap((name) => readFileSync(`${folder}${name}`, 'utf8').trimEnd().split('\n'));
  expect(lines.length).toBeLessThan(80);
});
