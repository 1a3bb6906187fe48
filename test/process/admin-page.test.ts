import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createDeadLetters } from '../../shared/redis/dead-letters.ts';
import { redisMs } from '../../shared/redis/redis-time.ts';
import { createSamples, sampleEveryMs } from '../../shared/redis/samples.ts';
import { noBrowser, openBrowser } from '../../tools/harness/browser.ts';
import { type Cluster, startCluster, type Welcomed } from '../support/cluster.ts';
import { sendMany } from '../support/sending.ts';

/** The operators' page in a real browser. */

// A busy machine takes long to start a browser and a cluster; what is awaited is awaited for minutes.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const token = 'the-token-of-the-desk';
const patient = { timeout: 120_000, interval: 500 };
const phone = { viewport: { width: 360, height: 740 } };
const desk = { viewport: { width: 1280, height: 800 } };

let cluster: Cluster;
let browser: Browser | null;
let base: string;
let alice: Welcomed;
beforeAll(async () => {
  [cluster, browser] = await Promise.all([
    startCluster({ gateways: 2, jobs: true, env: { ADMIN_TOKEN: token } }),
    openBrowser(),
  ]);
  base = cluster.url().replace(/^ws/, 'http').replace('/v1/ws', '');
  alice = await cluster.connect('alice');
  await noteAnHour();
});
afterAll(async () => {
  await browser?.close();
  await cluster.stop();
});

/** The hour before the test: calm traffic, and no samples between 40 and 30 minutes ago. */
async function noteAnHour(): Promise<void> {
  const samples = createSamples(cluster.redis, cluster.keys);
  const now = await redisMs(cluster.redis);
  for (let ageMs = 3_500_000; ageMs > 3 * sampleEveryMs; ageMs -= sampleEveryMs) {
    if (ageMs > 1_800_000 && ageMs < 2_400_000) continue;
    await samples.note({
      at: now - ageMs,
      connections: 1,
      acceptedPerS: 3,
      pushedPerS: 6,
      acceptP50Ms: 1,
      acceptP99Ms: 5,
      deliverP50Ms: 2,
      deliverP99Ms: 10,
      redisBytes: 3e6,
      lag: { inbox: [0, 0, 0, 0], history: [1, 2, 3, 4] },
      surge: ['calm', 'calm', 'calm', 'calm'],
    });
  }
}

/** A page of an operator, with everything that went wrong on it or went elsewhere. */
async function openPage(options: BrowserContextOptions): Promise<{ page: Page; faults: string[] }> {
  const context = await browser!.newContext({ ...options, httpCredentials: { username: 'operator', password: token } });
  context.setDefaultTimeout(patient.timeout);
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

/** On a busy machine the page may say that processes are short of CPU; other findings must be gone. */
const resolved = (page: Page, finding: string) => page.getByText(finding).waitFor({ state: 'detached' });

const chart = (page: Page, title: string) =>
  page.locator('figure').filter({ has: page.getByRole('heading', { name: title, exact: true }) });

/** The gap that was written, without the short one between it and the first sample of the cluster. */
async function wideGaps(figure: Locator): Promise<number> {
  const gaps = await figure.locator('.plot .gap').all();
  const widths = await Promise.all(gaps.map((gap) => gap.getAttribute('width')));
  return widths.filter((width) => Number(width) > 30).length;
}

test('everything is there on a phone: a message is traced, a dead letter replayed', async (context) => {
  if (browser === null) return context.skip(noBrowser);
  await sendMany(alice, 'bob', 40);
  await createDeadLetters(cluster.redis, cluster.keys).add({
    id: 'letter-1',
    reason: 'undelivered',
    at: Date.now(),
    attempts: 5,
    error: '<img src=x onerror=alert(1)>',
    subject: { user: 'bob', device: 'phone' },
  });
  const { page, faults } = await openPage(phone);
  await page.goto(`${base}/admin`);
  await page.getByText('partition 3', { exact: true }).last().waitFor();
  await page.getByText('There is one dead letter').waitFor();
  // Every process has spoken: two gateways, fanout, archive and jobs.
  await page.locator('#process-table tbody tr').nth(4).waitFor();
  expect(await page.locator('#process-table').innerText()).toMatch(/web [\s\S]*web /);
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);

  await page.getByPlaceholder('its id').fill(alice.all('accepted')[0]!.message.id);
  await page.getByRole('button', { name: 'Trace' }).click();
  await page.getByText(/^message .* seq 1 {2}from alice/).waitFor();
  await page.getByPlaceholder('its id').fill('no-such-message');
  await page.getByRole('button', { name: 'Trace' }).click();
  await page.getByText(/^message .* seq 1 {2}from alice/).waitFor({ state: 'detached' });

  await page.getByRole('button', { name: 'Replay' }).click();
  await page.getByText('requested').waitFor();
  await resolved(page, 'There is one dead letter');
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
  // A phone on a poor network has to load it too: styles, modules, and an hour of samples.
  const loaded = (await page.evaluate(`performance.getEntriesByType('resource')
    .filter(({ initiatorType, name }) => initiatorType !== 'fetch' || name.endsWith('curves?after=0'))
    .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)`)) as number;
  expect(loaded).toBeLessThan(48_000);
  // The browser notes that the unknown message was refused.
  expect(faults).toEqual([expect.stringContaining('400')]);
});

test('the curves show traffic, a gap and a surge, and a cursor that keys move', async (context) => {
  if (browser === null) return context.skip(noBrowser);
  const surge = (mode: string) =>
    fetch(`${base}/admin/api/surge`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({ mode }),
    });
  const { page, faults } = await openPage(desk);
  await page.goto(`${base}/admin`);
  const messages = chart(page, 'Messages');
  await messages.getByText(/^max /).first().waitFor();
  expect(await wideGaps(messages)).toBe(1);
  const strokes = (await messages.locator('.plot .series-1').getAttribute('d'))!.split('M').length - 1;
  expect(strokes).toBeGreaterThanOrEqual(2);
  expect(await chart(page, 'Surge states').innerText()).toContain('No partition was in a surge');

  await surge('surge');
  await page.getByText('Every partition is held in surge').waitFor();
  const before = alice.all('accepted').length;
  await sendMany(alice, 'bob', 400, 'surging');
  await vi.waitFor(async () => {
    expect(await chart(page, 'Surge states').innerText()).toMatch(/Surges: partition 0 from \d\d:\d\d to \d\d:\d\d;/);
    const highest = await messages.getByText(/^max /).first().innerText();
    expect(Number(/max (\d+)\/s/.exec(highest)![1])).toBeGreaterThan(10);
  }, patient);
  expect(alice.all('accepted').length).toBe(before + 400);
  expect(await messages.locator('.plot .in-surge').count()).toBeGreaterThan(0);
  await surge('auto');
  await resolved(page, 'Every partition is held in surge');

  const slider = page.getByRole('slider', { name: 'Messages: time' });
  const told = () => slider.getAttribute('aria-valuetext');
  await slider.focus();
  await slider.press('Home');
  expect(await told()).toMatch(/^\d\d:\d\d:\d\d, accepted 3\/s, delivered 6\/s$/);
  expect(await page.getByRole('slider', { name: 'Connections: time' }).getAttribute('aria-valuetext')).toMatch(
    new RegExp(`^${(await told())!.slice(0, 8)}, open 1$`),
  );
  const first = await told();
  await slider.press('ArrowRight');
  expect(await told()).not.toBe(first);
  await slider.press('ArrowLeft');
  expect(await told()).toBe(first);
  await slider.press('Escape');
  await vi.waitFor(async () => expect(await messages.locator('.cursor').getAttribute('visibility')).toBe('hidden'));

  await page.getByRole('button', { name: '15 min' }).click();
  expect(await wideGaps(messages)).toBe(0);
  expect(faults).toEqual([]);
});

test('a killed archive is the first thing said, with a page that says what to do', async (context) => {
  if (browser === null) return context.skip(noBrowser);
  const { page, faults } = await openPage(phone);
  await page.goto(`${base}/admin`);
  await page.locator('#process-table tbody tr').nth(4).waitFor();
  await cluster.end('archive-1', 'SIGKILL');
  const finding = page.locator('.finding').first();
  await finding.getByText('No archive process runs').waitFor();
  expect(await finding.innerText()).toContain('Messages arrive, and are not stored in history.');
  await finding.getByRole('link', { name: 'What to do' }).click();
  await page.getByRole('heading', { name: 'When a process dies' }).waitFor();
  expect(page.url()).toBe(`${base}/admin/docs/runbook#when-a-process-dies`);
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);

  await cluster.start('archive-1');
  await page.getByRole('link', { name: 'Back to the overview' }).click();
  await page.locator('#process-table tbody tr').nth(4).waitFor();
  await resolved(page, 'No archive process runs');
  expect(faults).toEqual([]);
});

test('a gateway that does not answer is said, and what is shown is dated', async (context) => {
  if (browser === null) return context.skip(noBrowser);
  const { page } = await openPage(desk);
  await page.goto(`${base}/admin`);
  await page.locator('#tiles b').first().waitFor();
  await page.context().setOffline(true);
  await page.getByText('This page gets no answer').waitFor();
  await page.getByText(/What is shown below is of \d\d:\d\d:\d\d\./).waitFor();
  await page.context().setOffline(false);
  await resolved(page, 'This page gets no answer');
});

const forms = [phone, desk].flatMap((size) =>
  (['light', 'dark'] as const).map((colorScheme) => ({ ...size, colorScheme, width: size.viewport.width })),
);
describe.each(forms)('at a width of $width, $colorScheme', ({ width: _, ...form }) => {
  test('nothing keeps anybody out', async (context) => {
    if (browser === null) return context.skip(noBrowser);
    const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
    // The checker itself runs text as a program, which the pages do not allow.
    const { page, faults } = await openPage({ ...form, bypassCSP: true });
    for (const [path, shown] of [
      ['/admin', '.plot path.line'],
      ['/admin/docs/runbook', 'table'],
    ] as const) {
      await page.goto(base + path);
      await page.locator(shown).first().waitFor();
      const violations = (await page.evaluate(`${axe}; axe.run().then(({ violations }) => violations)`)) as {
        id: string;
        nodes: { html: string; failureSummary: string }[];
      }[];
      expect(
        violations.flatMap(({ id, nodes }) =>
          nodes.map(({ html, failureSummary }) => `${path}: ${id} ${html} ${failureSummary}`),
        ),
      ).toEqual([]);
    }
    expect(faults).toEqual([]);
  });
});

test('the queues are shown, with and without a slash at the end, and cannot be changed', async (context) => {
  if (browser === null) return context.skip(noBrowser);
  for (const path of ['/admin/queues', '/admin/queues/']) {
    const { page, faults } = await openPage(desk);
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
