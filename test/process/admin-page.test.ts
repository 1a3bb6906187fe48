import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDeadLetters } from '../../shared/redis/dead-letters.ts';
import { noBrowser, openBrowser } from '../support/browser.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { sendMany } from '../support/sending.ts';

/** The operator's desk in a real browser. */

let cluster: Cluster;
let browser: Browser | null;
let base: string;
beforeAll(async () => {
  [cluster, browser] = await Promise.all([
    startCluster({ gateways: 2, jobs: true, env: { ADMIN_TOKEN: 'the-token-of-the-desk' } }),
    openBrowser(),
  ]);
  base = cluster.url().replace(/^ws/, 'http').replace('/v1/ws', '');
});
afterAll(async () => {
  await browser?.close();
  await cluster.stop();
});

/** A page of an operator, with everything that went wrong on it or went elsewhere. */
async function openPage(width: number): Promise<{ page: Page; faults: string[] }> {
  const context = await browser!.newContext({
    viewport: { width, height: 900 },
    httpCredentials: { username: 'operator', password: 'the-token-of-the-desk' },
  });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('console', (line) => line.type() === 'error' && faults.push(line.text()));
  page.on('pageerror', (error) => faults.push(error.message));
  page.on(
    'request',
    (request) =>
      request.url().startsWith(base) || request.url().startsWith('data:') || faults.push(`went to ${request.url()}`),
  );
  return { page, faults };
}

test('the overview is there within a second, live, and fits a phone', async (context) => {
  if (browser === null) return context.skip(noBrowser);
  const alice = await cluster.connect('alice');
  await sendMany(alice, 'bob', 40);
  await createDeadLetters(cluster.redis, cluster.keys).add({
    id: 'letter-1',
    reason: 'undelivered',
    at: Date.now(),
    attempts: 5,
    error: '<img src=x onerror=alert(1)>',
    subject: { user: 'bob', device: 'phone' },
  });
  const { page, faults } = await openPage(390);
  // The best of three: other work on the machine is not the page's.
  const views: number[] = [];
  for (let i = 0; i < 3; i++) {
    const began = performance.now();
    await page.goto(`${base}/admin`);
    await page.getByText('partition 3').waitFor();
    await page.getByText('undelivered 1', { exact: true }).waitFor();
    views.push(performance.now() - began);
  }
  expect(Math.min(...views)).toBeLessThan(1000);

  // Every process has spoken: two gateways, fanout, archive and jobs.
  await page.locator('#processes tbody tr').nth(4).waitFor();
  expect(await page.locator('#processes').innerText()).toMatch(/web .*\n[\s\S]*web /);
  await sendMany(alice, 'bob', 200, 'more');
  await page.locator('#totals b').first().filter({ hasText: /[1-9]/ }).waitFor();
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);

  await page.getByPlaceholder('its id').fill(alice.all('accepted')[0]!.message.id);
  await page.getByRole('button', { name: 'Trace' }).click();
  await page.getByText(/^message .* seq 1 {2}from alice/).waitFor();

  await page.getByRole('button', { name: 'Replay' }).click();
  await page.getByRole('button', { name: 'requested' }).waitFor();
  expect(faults).toEqual([]);
});

test('the queues are shown, with and without a slash at the end, and cannot be changed', async (context) => {
  if (browser === null) return context.skip(noBrowser);
  for (const path of ['/admin/queues', '/admin/queues/']) {
    const { page, faults } = await openPage(1200);
    await page.goto(base + path);
    for (const queue of ['compaction', 'dead-letter', 'delivery', 'notify'])
      await page.getByRole('link', { name: queue }).first().waitFor();
    expect(faults).toEqual([]);
    const status = await page.evaluate(
      async () => (await fetch('/admin/queues/api/queues/compaction/pause', { method: 'PUT' })).status,
    );
    expect(status).toBe(403);
  }
});
