import request from 'supertest';
import { closeClients, connect } from 'dwebsocket/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { MemoryStore } from '../../example-app/chat/store.js';
import { Chatter } from './chatter.js';
import { useApp } from './running-app.js';

// The chat in one process, without a browser.

const app = useApp();
afterEach(closeClients);

const enter = (room: string, name: string) => Chatter.enter(app.origin, room, name);

test('/chat/ leads to a room', async () => {
  const answer = await request(app.server).get('/chat/').redirects(1);
  expect(answer.redirects[0]).toMatch(/\/chat\/lobby\/$/);
  expect(answer.text).toMatch('Who is here');
});

test.each(['a.b', 'two words', '<b>', 'x'.repeat(41)])('%j is not a room: 404', async (name) => {
  expect((await request(app.server).get(`/chat/${encodeURIComponent(name)}/`)).status).toBe(404);
  await expect(connect(app.origin, `/chat/${encodeURIComponent(name)}/`)).rejects.toMatchObject({
    status: 404,
  });
});

test('all members of a room get its messages, and nobody else does', async () => {
  const ada = await enter('客厅', 'Ada');
  const bob = await enter('客厅', 'Bob');
  const eve = await enter('kitchen', 'Eve');
  ada.say('  hello  ');
  ada.say('   ');
  bob.say('你好');
  for (const chatter of [ada, bob]) {
    await chatter.untilSaid('你好');
    expect(chatter.said).toEqual(['hello', '你好']);
  }
  eve.say('alone');
  await eve.untilSaid('alone');
  expect(eve.said).toEqual(['alone']);
});

test('all members of a room see who is there and who has left', async () => {
  const ada = await enter('presence', 'Ada');
  await ada.untilHere('Ada');
  const bob = await enter('presence', ' Bob ');
  await Promise.all([ada.untilHere('Ada', 'Bob'), bob.untilHere('Ada', 'Bob')]);
  const twin = await enter('presence', 'Bob');
  await twin.untilHere('Ada', 'Bob', 'Bob');
  bob.client.terminate();
  await twin.client.close();
  await ada.untilHere('Ada', 'Bob', 'Bob');
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

describe('what a client should not do', () => {
  test('a name of blanks closes the websocket', async () => {
    const client = await connect(app.origin, '/chat/lobby/');
    client.send('"   "');
    expect((await client.closed).code).toBe(1000);
  });

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

  test('a long name is cut', async () => {
    const ada = await enter('long', 'A'.repeat(100));
    await ada.untilHere('A'.repeat(30));
  });

  test('a thousand and one rooms: the one that was silent for longest forgets', async () => {
    const store = new MemoryStore();
    const message = { id: '1', name: 'Ada', text: 'hello', at: 0 };
    for (let room = 0; room < 1000; room++) store.addMessage(String(room), message);
    store.addMessage('0', message);
    store.addMessage('1000', message);
    expect(await store.readMessages('0')).toHaveLength(2);
    expect(await store.readMessages('1')).toEqual([]);
    expect(await store.readMessages('2')).toHaveLength(1);
  });
});
