/**
 * Preloaded into each process that ws with bufferutil does not run in: nobody who installs ws gets bufferutil, but the package of uWebSockets.js brings it. ws 7,
 * which express-ws uses, has no switch against it as ws 8 has.
 */
import Module from 'node:module';

interface Resolver {
  _resolveFilename: (request: string, ...rest: unknown[]) => string;
}

const resolver = Module as unknown as Resolver;
const resolve = resolver._resolveFilename;
resolver._resolveFilename = function (request, ...rest) {
  if (/^(bufferutil|utf-8-validate)$/.test(request)) {
    throw Object.assign(new Error(`${request} is hidden`), { code: 'MODULE_NOT_FOUND' });
  }
  return resolve.call(this, request, ...rest);
};
