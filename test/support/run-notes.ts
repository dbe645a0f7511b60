/** Gives a run of Vitest a folder of its own, in which test files note what has been said (`globalSetup`). */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NOTES } from './requirements.js';

export default function setUp(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'dwebsocket-test-'));
  process.env[NOTES] = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
