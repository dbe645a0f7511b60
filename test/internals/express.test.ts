// Each test checks one undocumented name of Express. If a test fails with a new version, its name says what has changed
// and what the package uses it for.
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import express from 'express';
import express4 from 'express4';
import { expect, test } from 'vitest';
import { forgetParsedUrl, learnRouterSymbols, reserveFields, trustOf } from '../../src/internals/express.js';

const EXPRESSES = [
  { name: 'Express 5', make: express },
  { name: 'Express 4', make: express4 },
];

/** Sends a request through a route of an app. Returns the request of the handler. */
function route(make: typeof express, prepare: (req: IncomingMessage, res: ServerResponse) => void) {
  const req = new IncomingMessage(new Socket());
  Object.assign(req, { method: 'GET', url: '/a/1?b=2' });
  const res = new ServerResponse(req);
  prepare(req, res);
  const before = [new Set(Reflect.ownKeys(req)), new Set(Reflect.ownKeys(res))] as const;
  const app = make();
  app.set('trust proxy', 'loopback');
  let seen: express.Request | undefined;
  app.get('/a/:id', (request) => {
    seen = request;
  });
  app(req, res);
  if (seen === undefined) throw new Error('the route was not called');
  return {
    req: seen,
    added: [
      ...Reflect.ownKeys(req).filter((key) => !before[0].has(key)),
      ...Reflect.ownKeys(res).filter((key) => !before[1].has(key)),
    ],
  };
}

test.for(EXPRESSES)(
  "$name: the setting 'trust proxy fn' decides whether the package uses X-Forwarded-Host",
  ({ make }) => {
    const trust = trustOf(route(make, () => undefined).req);
    expect([trust?.('127.0.0.1', 0), trust?.('192.0.2.1', 0)]).toEqual([true, false]);
  },
);

test.for(EXPRESSES)(
  '$name sets only reserved properties on a routed request, because others take 2 KB for an open websocket',
  ({ make }) => {
    // The router stores the matched route under its own symbol. The first request shows the symbol to the package.
    learnRouterSymbols(route(make, reserveFields).req);
    const { added } = route(make, reserveFields);
    // Express 4 sets `query`. In Express 5 it is a getter, so the package must not reserve a property for it.
    expect(added.map(String).filter((name) => name !== 'query')).toEqual([]);
  },
);

test.for(EXPRESSES)(
  '$name parses the URL of a request again when the package has discarded the result, which takes 200 bytes',
  ({ make }) => {
    const { req } = route(make, reserveFields);
    expect(Reflect.get(req, '_parsedUrl')).toMatchObject({ pathname: '/a/1' });
    forgetParsedUrl(req);
    expect(Reflect.get(req, '_parsedUrl')).toBeUndefined();
    expect([req.path, req.query]).toEqual(['/a/1', { b: '2' }]);
  },
);
