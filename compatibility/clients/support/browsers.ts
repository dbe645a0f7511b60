import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CERTIFICATE } from '../../../test/support/serve.js';
import { startProgram } from '../../support/program.js';
import { versionOf } from './run.js';
import type { ClientsServer, Step } from './server.js';

const { CHROMIUM_PATH: CHROMIUM = '/usr/bin/chromium', FIREFOX_PATH: FIREFOX = '/usr/bin/firefox-esr' } =
  process.env;

export interface Browser {
  readonly name: string;
  /** Empty if it is not installed here. */
  readonly version: string;
  /** The command that opens a page, with a new profile in a folder. */
  open(url: string, profile: string): readonly string[];
}

export const chromium: Browser = {
  name: 'Chromium',
  version: versionOf([CHROMIUM, '--version']),
  open: (url, profile) => [
    ...[CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
    ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
    ...['--ignore-certificate-errors', '--remote-debugging-port=0', `--user-data-dir=${profile}`, url],
  ],
};

export const firefox: Browser = {
  name: 'Firefox',
  version: versionOf([FIREFOX, '--version']),
  open(url, profile) {
    const { hostname, port } = new URL(url);
    const { fingerprint256 } = new X509Certificate(CERTIFICATE.cert);
    // Firefox trusts the certificate of this address, as if the user had added an exception.
    const exception = [`${hostname}:${port}:`, 'OID.2.16.840.1.101.3.4.2.1', fingerprint256, ''];
    writeFileSync(join(profile, 'cert_override.txt'), `${exception.join('\t')}\n`);
    return [FIREFOX, '--headless', '--no-remote', '--profile', profile, url];
  },
};

/** Opens `/page.html` of a server in a browser, and gives what its script tells. */
export async function converseInPage(
  browser: Browser,
  { told }: ClientsServer,
  origin: string,
): Promise<Step[]> {
  const profile = mkdtempSync(join(tmpdir(), 'dwebsocket-browser-'));
  const program = await startProgram(browser.open(`${origin}/page.html`, profile), {
    env: { HOME: profile },
    ready: /^/,
  });
  try {
    const steps: Step[] = [];
    while (true) {
      const step = await told.next('step of the page', 90_000);
      if (step.step === 'failed') throw new Error(String(step['error']));
      if (step.step === 'done') return steps;
      steps.push(step);
    }
  } finally {
    await program.kill();
    rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
  }
}
