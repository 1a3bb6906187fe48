import { existsSync } from 'node:fs';
import { type Browser, type BrowserContext, chromium } from 'playwright-core';

const places = [
  process.env['CHROMIUM'] ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];

const found = (): string | undefined => places.find((path) => path !== '' && existsSync(path));
const args = ['--no-sandbox'];

/**
 * A browser installed on this machine (Debian: `apt install chromium`, or `CHROMIUM`), or null: then the test reports
 * that it did not run.
 */
export async function openBrowser(): Promise<Browser | null> {
  const executablePath = found();
  return executablePath === undefined ? null : chromium.launch({ executablePath, args });
}

/** A browser whose storage is in a directory and outlives it. Only where `openBrowser` finds one. */
export const openProfile = (directory: string): Promise<BrowserContext> =>
  chromium.launchPersistentContext(directory, { executablePath: found()!, args, bypassCSP: true });

export const noBrowser = 'no chromium is installed; set CHROMIUM to where one is';
