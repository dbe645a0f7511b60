import { describe, expect, test } from 'vitest';
import { acceptWebsocket } from 'dwebsocket';
import { FRAMEWORKS } from '../support/frameworks.js';
import { Inbox } from '../support/inbox.js';
import { request } from '../support/request.js';
import { serve } from '../support/serve.js';
import { watchWarnings } from '../support/warnings.js';

describe.for(FRAMEWORKS)('on %s', ([, build]) => {
  test('on plain HTTP an error goes to the error handler, thrown or rejected', async () => {
    const { route, onError, app } = build();
    const errors = new Inbox<Error>();
    route(
      '/throws',
      acceptWebsocket(() => raise(new Error('thrown'))),
    );
    route(
      '/rejects',
      acceptWebsocket(() => Promise.reject(new Error('rejected'))),
    );
    onError((error) => errors.push(error as Error));
    const site = await serve(app);
    expect(await request(site, '/throws')).toMatchObject({ status: 500, body: 'handled' });
    expect(await errors.next()).toMatchObject({ message: 'thrown' });
    expect(await request(site, '/rejects', { method: 'POST' })).toMatchObject({
      status: 500,
      body: 'handled',
    });
    expect(await errors.next()).toMatchObject({ message: 'rejected' });
    expect(errors.rest()).toEqual([]);
  });

  test('next() continues with the next route', async () => {
    const { route, app } = build();
    route(
      '/',
      acceptWebsocket((_req, _res, next) => next()),
    );
    route(
      '/',
      acceptWebsocket((_req, res) => void res.end('the next one')),
    );
    expect(await request(await serve(app), '/')).toMatchObject({ status: 200, body: 'the next one' });
  });
});

describe('on a bare server', () => {
  test('a handler that fails on plain HTTP causes 500 without the text of its error, and one warning', async () => {
    const warnings = watchWarnings();
    const site = await serve(acceptWebsocket(() => Promise.reject(new Error('secret'))));
    for (let i = 0; i < 3; i++) {
      expect(await request(site, '/')).toMatchObject({ status: 500, body: 'Internal Server Error\n' });
    }
    expect(await warnings.next()).toMatchObject({ code: 'WEBSOCKET_HANDLER_FAILED' });
    expect(warnings.rest()).toEqual([]);
  });

  test('on plain HTTP next() answers with 404, and next(error) with 500', async () => {
    const warnings = watchWarnings();
    const site = await serve(
      acceptWebsocket((req, _res, next) => next(req.url === '/' ? undefined : new Error('no'))),
    );
    expect(await request(site, '/')).toMatchObject({ status: 404 });
    expect(await request(site, '/fail')).toMatchObject({ status: 500 });
    expect((await warnings.next()).code).toBe('WEBSOCKET_HANDLER_FAILED');
  });

  test('a response that has begun ends when its handler fails', async () => {
    watchWarnings();
    const site = await serve(
      acceptWebsocket(async (_req, res) => {
        res.write('half of it');
        throw new Error('and no more');
      }),
    );
    expect(await request(site, '/')).toMatchObject({ status: 200, body: 'half of it' });
  });
});

function raise(error: Error): never {
  throw error;
}
