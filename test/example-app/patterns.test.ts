import { once } from 'node:events';
import request from 'supertest';
import { describe, expect, test } from 'vitest';
import type WebSocket from 'ws';
import { drawEdges } from '../../example-app/draw-edges.js';
import { leave, receive, useApp } from './running-app.js';

// What the pages cannot show. That no child process outlives its websocket is seen by the harness, which looks for
// leftovers when the file has ended.

const app = useApp();

/** Waits until what a websocket has received matches. */
async function receiveUntil(websocket: WebSocket, pattern: RegExp): Promise<string> {
  let all = '';
  for await (const [data] of onMessage(websocket)) {
    all += data.toString();
    if (pattern.test(all)) break;
  }
  return all;
}

async function* onMessage(websocket: WebSocket): AsyncGenerator<[Buffer]> {
  while (true) yield (await once(websocket, 'message')) as [Buffer];
}

test('/log/ logs a websocket with 101 when it has ended', async () => {
  const log = await app.open('/log/');
  await receive(log);
  const echo = await app.open('/echo/?from=the+test');
  await leave(echo);
  await receiveUntil(log, /GET \/echo\/\?from=the\+test 101/);
  await leave(log);
});

test('/shell/ closes with 1000 when its program ends, and ends its program when the browser vanishes', async () => {
  const first = await app.open('/shell/');
  await receiveUntil(first, /> $/);
  const closed = once(first, 'close');
  first.send('exit');
  expect((await closed)[0]).toBe(1000);

  const second = await app.open('/shell/');
  await receiveUntil(second, /> $/);
  second.send('count 20');
  await receiveUntil(second, /1/);
  const gone = once(second, 'close');
  second.terminate();
  await gone;
});

test('/shell/ knows nothing that its program does not, however it is asked', async () => {
  const websocket = await app.open('/shell/');
  await receiveUntil(websocket, /> $/);
  for (const line of ['constructor', '__proto__ x', 'toString', '; ls', '$(ls)']) {
    websocket.send(line);
    expect(await receiveUntil(websocket, /> $/)).toBe(
      `${line.split(' ')[0] ?? ''}: I do not know that. Try: help\n> `,
    );
  }
  await leave(websocket);
});

describe('/quiz/', () => {
  test('takes an answer that came too late for no answer to the next question', async () => {
    const websocket = await app.open('/quiz/?hard');
    websocket.send('next');
    expect(JSON.parse(await receive(websocket))).toMatchObject({ seconds: 1 });
    expect(JSON.parse(await receive(websocket))).toEqual({ verdict: 'late', answer: '101' });
    websocket.send('101');
    websocket.send('next');
    expect(JSON.parse(await receive(websocket)).question).toMatch('port');
    websocket.send('443');
    expect(JSON.parse(await receive(websocket))).toEqual({ verdict: 'right', answer: '443' });
    await leave(websocket);
  });
});

describe('/account/', () => {
  test('refuses a websocket without a login with 401', async () => {
    await expect(app.open('/account/')).rejects.toThrow('401');
  });

  test('refuses a websocket whose session has logged out, even while another one of it was open', async () => {
    const agent = request.agent(app.server);
    const login = await agent.post('/account/login').type('form').send({ name: 'Ada' });
    expect(login.headers['location']).toBe('/account/');
    const headers = { cookie: String(login.headers['set-cookie']).split(';')[0] ?? '' };

    const websocket = await app.open('/account/', { headers });
    expect(await receive(websocket)).toBe('Hello, Ada. Visits so far: 1.');
    const closed = once(websocket, 'close');
    await agent.post('/account/logout');
    expect((await closed)[0]).toBe(4001);
    await expect(app.open('/account/', { headers })).rejects.toThrow('401');
  });

  test('takes nobody in without a name', async () => {
    const agent = request.agent(app.server);
    await agent.post('/account/login').type('form').send({ name: '  ' });
    expect((await agent.get('/account/')).status).toBe(401);
  });
});

describe('/frames/', () => {
  test('closes with 1003 on text', async () => {
    const websocket = await app.open('/frames/');
    const closed = once(websocket, 'close');
    websocket.send('a picture');
    expect((await closed)[0]).toBe(1003);
  });

  test('closes with 1009 on a frame over its limit', async () => {
    const websocket = await app.open('/frames/');
    websocket.on('error', () => {});
    const closed = once(websocket, 'close');
    websocket.send(Buffer.alloc(256 * 1024 + 1));
    expect((await closed)[0]).toBe(1009);
  });

  test('draws edges where the light changes, and nothing where it does not', () => {
    const picture = Buffer.alloc(160 * 120 * 4);
    for (let y = 0; y < 120; y++) picture.fill(255, (y * 160 + 80) * 4, (y + 1) * 160 * 4);
    const edges = drawEdges(picture);
    const green = (x: number, y: number) => edges[(y * 160 + x) * 4 + 1];
    expect([green(20, 50), green(79, 50), green(80, 50), green(120, 50)]).toEqual([0, 255, 0, 0]);
  });

  test('takes bytes that are no picture for a small one', () => {
    expect(drawEdges(Buffer.from('abc'))).toHaveLength(3);
    expect(drawEdges(Buffer.alloc(0))).toHaveLength(0);
  });
});

describe('/notices/', () => {
  test('counts the readers, and forgets one that has left', async () => {
    const websocket = await app.open('/notices/');
    const message = receive(websocket);
    const answer = await request(app.server).post('/notices/').send({ text: '晚饭好了' });
    expect(answer.body).toEqual({ readers: 1 });
    expect(await message).toBe('晚饭好了');
    await leave(websocket);
    expect((await request(app.server).post('/notices/').send({ text: 'x' })).body).toEqual({ readers: 0 });
  });

  test.each([{}, { text: '' }, { text: 42 }, undefined])('refuses %j with 400', async (body) => {
    expect((await request(app.server).post('/notices/').send(body)).status).toBe(400);
  });
});
