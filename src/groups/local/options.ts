import { createHash } from 'node:crypto';
import { tmpdir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { checkEach } from '../../options/checks.js';
import { optionError } from '../../shared/errors.js';
import { COMMON_CHECKS, COMMON_DEFAULTS } from '../common-options.js';

/** Lists the options of {@link localBackplane}. */
export interface LocalBackplaneOptions {
  /**
   * Says where the processes meet: the path of a Unix socket, or the name of a pipe on Windows (`\\.\pipe\my-app`). All
   * processes of one app need the same path. Processes with different paths never meet. The folder must exist, and should
   * belong to the user of the app.
   *
   * @default a path in a private folder in the folder for temporary files, made from the user and the working directory
   */
  path?: string | undefined;
  /**
   * Limits the bytes of a message to other processes. A larger one reaches only the members in this process, and `send`
   * resolves with the error. Give all processes the same value.
   *
   * @default 1_048_576 (1 MiB)
   */
  maxPayload?: number | undefined;
  /**
   * Limits the memory, in bytes, of messages that the hub has not confirmed. Above the limit a message reaches only the
   * members in this process, and `send` resolves with the error `ERR_WEBSOCKET_BACKPLANE_FULL`. In the process that is the
   * hub, the same limit holds for the messages that wait for each slow process. Above it, the hub disconnects that process.
   *
   * @default 67_108_864 (64 MiB)
   */
  maxBuffered?: number | undefined;
  /**
   * Limits how long the hub may take to answer, in milliseconds. A hub that stays silent is replaced after two to three times
   * this time.
   *
   * @default 5_000
   */
  timeout?: number | undefined;
}

const CHECKS = { ...COMMON_CHECKS, path: checkPath };

export type LocalSettings = typeof COMMON_DEFAULTS & {
  /** The absolute path of the socket, or the name of the pipe. */
  readonly path: string;
  /** Whether the path is the default. Then its folder is ours. */
  readonly isDefault: boolean;
};

/** A Unix socket's path has at most 103 bytes on macOS and 107 on Linux. We need some for another name in its folder. */
const MAX_PATH_BYTES = 90;
const PIPE = /^\\\\[.?]\\pipe\\./;

export const hasPipes = process.platform === 'win32';

export function resolveLocalOptions(options: LocalBackplaneOptions): LocalSettings {
  const given = checkEach(options, CHECKS) as Partial<LocalSettings>;
  const path = given.path === undefined ? defaultPath() : hasPipes ? given.path : resolve(given.path);
  // A relative path becomes longer.
  if (!hasPipes) checkLength(path, 'path');
  return { ...COMMON_DEFAULTS, ...given, path, isDefault: given.path === undefined };
}

function defaultPath(): string {
  const { username, uid } = userInfo();
  const hash = createHash('sha256').update(`${username}\0${process.cwd()}`).digest('hex').slice(0, 16);
  if (hasPipes) return `\\\\.\\pipe\\dwebsocket-${hash}`;
  return join(tmpdir(), `dwebsocket-${uid}`, hash);
}

function checkPath(value: unknown, name: string): void {
  const rule = hasPipes
    ? String.raw`the name of a pipe, such as '\\.\pipe\my-app'`
    : "the path of a Unix socket, such as '/run/my-app/groups'";
  if (typeof value !== 'string') throw optionError(TypeError, name, rule, value);
  const isPath = hasPipes ? PIPE.test(value) : value !== '' && !value.includes('\0');
  if (!isPath) throw optionError(RangeError, name, rule, value);
}

function checkLength(path: string, name: string): void {
  if (Buffer.byteLength(path) <= MAX_PATH_BYTES) return;
  throw optionError(
    RangeError,
    name,
    `a path of at most ${MAX_PATH_BYTES} bytes, because it is that of a socket`,
    path,
  );
}
