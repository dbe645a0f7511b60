import request from 'supertest';
import { describe, expect, test } from 'vitest';
import { drawEdges } from '../../example-app/draw-edges.js';
import type { Client } from '../support/client.js';
import { useApp } from './running-app.js';

// What the pages cannot show. That no child process outlives its websocket is seen by the harness, which looks for
// leftovers when the file has ended.

const app = useApp();

/** What a client receives, as one text, until it matches. */
async function receiveUntil(client: Client, pattern: RegExp): Promise<string> {
  let all = '';
  while (!pattern.test(all)) all += String(await client.next());
  return all;
}

/** The next message, as JSON. */
const receiveJson = async (client: Client) => JSON.parse(String(await client.next())) as unknown;

test('/log/ logs a websocket with 101 when it has ended', async () => {
  const log = await app.open('/log/');
  await log.next();
  const echo = await app.open('/echo/?from=the+test');
  await echo.close();
  await receiveUntil(log, /GET \/echo\/\?from=the\+test 101/);
  await log.close();
});

test('/shell/ closes with 1000 when its program ends, and ends its program when the browser vanishes', async () => {
  const first = await app.open('/shell/');
  await receiveUntil(first, /> $/);
  first.send('exit');
  expect((await first.closed()).code).toBe(1000);

  const second = await app.open('/shell/');
  await receiveUntil(second, /> $/);
  second.send('count 20');
  await receiveUntil(second, /1/);
  await second.vanish();
});

test('/shell/ runs only its own program, whatever the client sends', async () => {
  const websocket = await app.open('/shell/');
  await receiveUntil(websocket, /> $/);
  for (const line of ['constructor', '__proto__ x', 'toString', '; ls', '$(ls)']) {
    websocket.send(line);
    expect(await receiveUntil(websocket, /> $/)).toBe(
      `${line.split(' ')[0] ?? ''}: unknown command. Try: help\n> `,
    );
  }
  await websocket.close();
});

describe('/quiz/', () => {
  test('takes an answer that came too late for no answer to the next question', async () => {
    const websocket = await app.open('/quiz/?hard');
    websocket.send('"next"');
    expect(await receiveJson(websocket)).toMatchObject({ seconds: 1 });
    expect(await receiveJson(websocket)).toEqual({ verdict: 'late', answer: '101' });
    // The right answer is on its way before it is asked for: a slow machine must not make it too late.
    websocket.send('"101"', '"next"', '"443"');
    expect(await receiveJson(websocket)).toMatchObject({ question: expect.stringContaining('port') });
    expect(await receiveJson(websocket)).toEqual({ verdict: 'right', answer: '443' });
    await websocket.close();
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
    expect(await websocket.next()).toBe('Hello, Ada. Visits so far: 1.');
    await agent.post('/account/logout');
    expect((await websocket.closed()).code).toBe(4401);
    await expect(app.open('/account/', { headers })).rejects.toThrow('401');
  });

  test('refuses a visitor without a name', async () => {
    const agent = request.agent(app.server);
    await agent.post('/account/login').type('form').send({ name: '  ' });
    expect((await agent.get('/account/')).status).toBe(401);
  });
});

describe('/frames/', () => {
  test('closes with 1003 on text', async () => {
    const websocket = await app.open('/frames/');
    websocket.send('a picture');
    expect((await websocket.closed()).code).toBe(1003);
  });

  test('closes with 1009 on a frame over its limit', async () => {
    const websocket = await app.open('/frames/');
    websocket.send(Buffer.alloc(256 * 1024 + 1));
    expect((await websocket.closed()).code).toBe(1009);
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
    const answer = await request(app.server).post('/notices/').send({ text: '晚饭好了' });
    expect(answer.body).toEqual({ readers: 1 });
    expect(await receiveJson(websocket)).toEqual({ text: '晚饭好了' });
    await websocket.close();
    expect((await request(app.server).post('/notices/').send({ text: 'x' })).body).toEqual({ readers: 0 });
  });

  test.each([{}, { text: '' }, { text: 42 }, undefined])('refuses %j with 400', async (body) => {
    expect((await request(app.server).post('/notices/').send(body)).status).toBe(400);
  });
});
