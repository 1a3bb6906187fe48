import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const places = [
  process.env['CHROMIUM'] ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];

/**
 * A browser installed on this machine (Debian: `apt install chromium`, or `CHROMIUM`), or null: then the test reports
 * that it did not run.
 */
export async function openBrowser(): Promise<Browser | null> {
  const executablePath = places.find((path) => path !== '' && existsSync(path));
  return executablePath === undefined ? null : chromium.launch({ executablePath, args: ['--no-sandbox'] });
}

export const noBrowser = 'no chromium is installed; set CHROMIUM to where one is';
