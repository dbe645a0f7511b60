import request from 'supertest';
import { describe, expect, test } from 'vitest';
import { useApp } from './running-app.js';

// The app of the original tutorial, without a browser.

const app = useApp();

test('/ leads to /home/', async () => {
  const answer = await request(app.server).get('/').redirects(1);
  expect(answer.status).toBe(200);
  expect(answer.redirects[0]).toMatch(/\/home\/$/);
});

test('every page forbids inline scripts', async () => {
  const answer = await request(app.server).get('/home/');
  expect(answer.headers['content-security-policy']).toMatch(/default-src 'self'/);
  expect(answer.headers['content-security-policy']).not.toMatch(/unsafe|script-src/);
});

describe('/echo/', () => {
  test('returns the message of a plain request, as text', async () => {
    const answer = await request(app.server).get('/echo/').query({ message: '<b>你好</b>' });
    expect(answer.text).toBe('<b>你好</b>');
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
  });

  test('returns an empty message, too', async () => {
    const answer = await request(app.server).get('/echo/?message=');
    expect([answer.status, answer.text]).toEqual([200, '']);
  });

  test('renders its page for a plain request without a message', async () => {
    const answer = await request(app.server).get('/echo/');
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(answer.text).toMatch('Received Messages');
  });

  test('answers each message of a websocket', async () => {
    const websocket = await app.open('/echo/');
    for (const message of ['Hello, World!', '你好', '']) {
      websocket.send(message);
      expect(await websocket.next()).toBe(`${message}这是你发来的。。。`);
    }
    await websocket.close();
  });
});

describe('/websocket/', () => {
  test('sends one message back and is done', async () => {
    const websocket = await app.open('/websocket/');
    websocket.send('once');
    expect(await websocket.next()).toBe('once');
    expect((await websocket.closed()).code).toBe(1000);
  });

  test('refuses plain HTTP', async () => {
    const answer = await request(app.server).get('/websocket/');
    expect(answer.status).toBe(400);
    expect(answer.headers['upgrade']).toBe('websocket');
  });
});
