import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from '../../../test/support/free-port.js';
import { readDocument } from '../../../test/docs/document.js';
import { START, within } from '../../../test/support/inbox.js';
import { CERTIFICATE } from '../../../test/support/serve.js';

/** Pieces of a configuration, and what replaces them. */
export type Changes = readonly (readonly [piece: string, replacement: string])[];

/** Where a proxy runs. */
export interface Place {
  /** A folder of its own, with `site.pem` (certificate and key), `certificate.pem` and `key.pem`. */
  readonly folder: string;
  /** The port that it listens on. */
  readonly port: number;
  /** The port of the app. */
  readonly app: number;
  /** Whether it ends a connection that is idle for two seconds. */
  readonly impatient: boolean;
}

/** A proxy, and how a test runs it: unprivileged, and with all its files in one folder. */
export interface ProxyProgram {
  /** The page and the heading of the configuration that users copy. */
  readonly page: string;
  readonly anchor: string;
  /** What a test changes in it: the addresses, and what else this machine needs. */
  changes(place: Place): Changes;
  /** What stands before it, such as the folders for temporary files. */
  before?(place: Place): string;
  after?: string;
  /** The name of the file. */
  readonly file: string;
  command(place: Place): readonly string[];
}

export interface RunningProxy {
  readonly port: number;
  readonly folder: string;
  stop(): Promise<void>;
}

/** Starts a proxy before an app, with the configuration of the page. */
export async function startProxy(
  proxy: ProxyProgram,
  app: number,
  { impatient = false } = {},
): Promise<RunningProxy> {
  const folder = mkdtempSync(join(tmpdir(), 'dwebsocket-proxy-'));
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  try {
    const place = { folder, port: await findFreePort(), app, impatient };
    writeFiles(proxy, place);
    const kill = await run(proxy.command(place), place);
    const stop = async () => {
      await kill();
      remove();
    };
    return { port: place.port, folder, stop };
  } catch (error) {
    remove();
    throw error;
  }
}

function writeFiles(proxy: ProxyProgram, place: Place): void {
  const config = applyChanges(readConfig(proxy), proxy.changes(place));
  const { key, cert } = CERTIFICATE;
  const files = {
    'key.pem': key,
    'certificate.pem': cert,
    'site.pem': `${String(cert)}\n${String(key)}`,
    [proxy.file]: `${proxy.before?.(place) ?? ''}${config}\n${proxy.after ?? ''}`,
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(place.folder, name), content);
}

/** Resolves when the program accepts connections, with a function that ends it. */
async function run(
  [file = '', ...args]: readonly string[],
  { folder, port }: Place,
): Promise<() => Promise<void>> {
  // A file, and no pipe: Apache opens /dev/stderr by its name.
  const log = join(folder, 'output.log');
  const output = openSync(log, 'a');
  const child = spawn(file, args, {
    cwd: folder,
    env: { ...process.env, HOME: folder },
    stdio: ['ignore', output, output],
    // A group of its own, so that its workers end with it.
    detached: true,
  });
  closeSync(output);
  const killAll = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // All of them have ended.
    }
  };
  process.once('exit', killAll);
  const state = { ended: false };
  const closed = new Promise<void>((resolve) => {
    const end = () => {
      state.ended = true;
      resolve();
    };
    child.once('error', end).once('close', end);
  });
  const kill = async () => {
    killAll();
    await closed;
    process.off('exit', killAll);
  };
  try {
    await within(waitForPort(port, state), `start of ${file}`, START);
  } catch (error) {
    await kill();
    throw new Error(`${String(error)}; it printed:\n${readFileSync(log, 'utf8')}`, { cause: error });
  }
  return kill;
}

function readConfig({ page, anchor }: ProxyProgram): string {
  const block = readDocument(page).blocks.find((each) => each.anchor === anchor);
  if (block === undefined) throw new Error(`${page} has no configuration under the heading ${anchor}`);
  return block.code;
}

function applyChanges(config: string, changes: Changes): string {
  let changed = config;
  for (const [piece, replacement] of changes) {
    if (!changed.includes(piece)) throw new Error(`the configuration has no ${JSON.stringify(piece)}`);
    changed = changed.replaceAll(piece, replacement);
  }
  return changed;
}

/** Resolves when the port accepts connections; rejects when the program has ended. */
async function waitForPort(port: number, program: { ended: boolean }): Promise<void> {
  while (true) {
    if (program.ended) throw new Error('the program has ended');
    const socket = connect({ port, host: '127.0.0.1' });
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isOpen) return;
    // No event tells it. Without a pause, this loop would take the processor that the program needs to start.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
