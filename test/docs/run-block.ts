import http from 'node:http';
import vm from 'node:vm';
import express from 'express';
import ts from 'typescript';
import { onTestFinished } from 'vitest';
import WebSocket from 'ws';
import * as dwebsocket from 'dwebsocket';
import { listen, type App, type Site } from '../support/serve.js';
import { root, type Block } from './document.js';
import { readNames } from './names.js';
import { createReader, IMPORTED } from './reader.js';

/** What a piece of code was given, and what came of it. */
export interface Run {
  readonly reader: ReturnType<typeof createReader>;
  /** The app that it has made, or that of the reader, on a port of its own. */
  readonly site: Site;
  /** What the code exports. */
  readonly exports: Readonly<Record<string, unknown>>;
}

/** Runs a piece of code as its reader would; whatever number it gives to `listen`, the port is a free one. */
export async function runBlock({ path, anchor, code }: Block): Promise<Run> {
  const reader = createReader(`${root}test/docs/app-log.txt`);
  const servers: http.Server[] = [];
  const modules = await loadModules(code, servers);
  const { free } = readNames(code);
  const around: Record<string, unknown> = {
    ...Object.fromEntries(IMPORTED.dwebsocket.map((name) => [name, dwebsocket[name]])),
    express: (modules.get('express') as { default: unknown }).default,
    ...reader,
    app: preparedApp(reader.app, servers),
  };
  const names = Object.keys(around).filter((name) => free.has(name));
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: {
      module: ts.ModuleKind.CommonJS,
      target: ts.ScriptTarget.ES2022,
      esModuleInterop: true,
    },
  });
  const body = `return (async () => {\n${outputText}\n})();`;
  const run = compile(body, ['require', 'exports', ...names], `${path}#${anchor}`);
  const exports: Record<string, unknown> = {};
  await run((name: string) => modules.get(name), exports, ...names.map((name) => around[name]));
  const [server = http.createServer(reader.app)] = servers;
  return { reader, site: await listen(server), exports };
}

/** Runs code of a browser, with its WebSocket and with `globals`; resolves with what it logs first. */
export function runInBrowser({ path, code }: Block, { port }: Site, globals: object = {}): Promise<unknown> {
  class BrowserWebSocket extends WebSocket {
    constructor(url: string) {
      super(url.replace(/:\d+/, `:${port}`));
      // What fails to connect ends no browser.
      this.on('error', () => {});
      onTestFinished(() => this.terminate());
    }
  }
  return new Promise((resolve) => {
    const location = { origin: `http://localhost:${port}` };
    const around = { WebSocket: BrowserWebSocket, console: { log: resolve }, location, ...globals };
    void compile(code, Object.keys(around), path)(...(Object.values(around) as unknown[]));
  });
}

function compile(body: string, params: string[], filename: string) {
  return vm.compileFunction(body, params, { filename }) as unknown as (...args: unknown[]) => unknown;
}

async function loadModules(code: string, servers: http.Server[]): Promise<Map<string, object>> {
  const createServer = (...args: Parameters<typeof http.createServer>) =>
    prepareServer(http.createServer(...args), servers);
  const createApp = Object.assign(() => preparedApp(express(), servers), express);
  const known: Record<string, object> = {
    // The function itself is what `require('express')` gives.
    express: Object.assign(createApp, { default: createApp, __esModule: true }),
    'node:http': { ...http, default: { ...http, createServer }, createServer },
  };
  const modules = new Map<string, object>();
  for (const name of ['express', ...readNames(code).modules]) {
    const module = known[name] ?? ((await import(name)) as object);
    modules.set(name, typeof module === 'function' ? module : { ...module, __esModule: true });
  }
  return modules;
}

function preparedApp<A extends App>(app: A, servers: http.Server[]): A {
  return Object.assign(app, { listen: () => prepareServer(http.createServer(app), servers).listen() });
}

function prepareServer(server: http.Server, servers: http.Server[]): http.Server {
  servers.push(server);
  const start = server.listen.bind(server) as (port: number, host: string) => http.Server;
  return Object.assign(server, { listen: () => start(0, '127.0.0.1') });
}
