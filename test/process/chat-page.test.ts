import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { noBrowser, openBrowser } from '../support/browser.ts';
import { startCluster } from '../support/cluster.ts';
import { type Peer, type PlayedServer, playServer } from '../support/played-server.ts';

/** The chat page in a real browser, against a server that the test plays. */

let browser: Browser | null;
let server: PlayedServer;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser?.close());
beforeEach(async () => {
  server = await playServer(await readFile(new URL('../../gateway/http/chat.html', import.meta.url), 'utf8'));
});
afterEach(() => server.close());

const token = `e30.${Buffer.from('{"sub":"alice"}').toString('base64url')}.x`;
const conversation = 'd_alice-and-bob';
const message = (seq: number, where = conversation) => ({
  id: `${seq}-0`,
  conversation: where,
  seq,
  at: 1,
  sender: 'bob',
  clientId: `k${seq}`,
  kind: 'text',
  body: `m${seq}`,
  class: 'normal',
});
const gap = (position: number, fromSeq: number, toSeq: number, where = conversation) => ({
  type: 'gap',
  position,
  conversation: where,
  fromSeq,
  toSeq,
});

async function answer(peer: Peer, seqs: number[], more: boolean) {
  const { id, type: _, ...request } = await peer.next('history');
  peer.say({ type: 'history', re: id, conversation, messages: seqs.map((seq) => message(seq)), more, absent: [] });
  return request;
}

async function openPage(): Promise<{ page: Page; peer: Peer; faults: string[] }> {
  const page = await browser!.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  await page.goto(`${server.httpUrl}/#token=${token}&peer=bob`);
  const { peer } = await server.greet();
  return { page, peer, faults };
}

const shown = (page: Page) =>
  page.locator('#messages li').evaluateAll((all) => all.map((one) => one.firstChild?.textContent));

test('a gap that comes before or after what it covers is filled with what is missing', async (context) => {
  if (browser === null) return context.skip(noBrowser);
  const { page, peer, faults } = await openPage();
  peer.say(gap(1, 2, 6));
  expect(await answer(peer, [6, 5, 4], true)).toEqual({ to: 'bob', limit: 50 });
  expect(await answer(peer, [2, 3], true)).toEqual({ conversation, after: 1, limit: 2 });
  peer.say({
    type: 'deliver',
    items: [
      { position: 2, message: message(7) },
      { position: 3, message: message(9) },
    ],
  });
  peer.say(gap(4, 4, 7));
  peer.say(gap(5, 6, 11));
  expect(await answer(peer, [8], true)).toEqual({ conversation, after: 7, limit: 1 });
  expect(await answer(peer, [11], false)).toEqual({ conversation, after: 9, limit: 2 });
  await page.getByText('m11').waitFor();
  expect(await shown(page)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 11].map((seq) => `m${seq}`));
  // The page confirms on a clock of its own, so this may come before its last question.
  await expect.poll(() => peer.frames).toContainEqual({ type: 'received', position: 5 });
  expect(peer.frames.filter(({ type }) => type === 'history')).toHaveLength(4);
  expect(faults).toEqual([]);
});

test('items and gaps of a conversation too large for inboxes move nothing that has no position', async (context) => {
  if (browser === null) return context.skip(noBrowser);
  const { page, peer, faults } = await openPage();
  await answer(peer, [1], false);
  peer.say({ type: 'deliver', items: [{ message: message(5, 'team') }] });
  peer.say({
    type: 'deliver',
    items: [{ message: message(6, 'team') }, { position: 1, message: message(2) }, { message: message(7, 'team') }],
  });
  expect(await peer.next('received')).toEqual({ type: 'received', position: 1 });
  peer.say(gap(2, 1, 4, 'team'));
  expect(await peer.next('received')).toEqual({ type: 'received', position: 2 });
  await page.getByText('m2').waitFor();
  expect(await shown(page)).toEqual(['m1', 'm2']);
  expect(peer.frames.map(({ type }) => type)).toEqual(['hello', 'history', 'received', 'received']);
  expect(faults).toEqual([]);
});

test('a gap whose reading was cut off is read on the next connection', async (context) => {
  if (browser === null) return context.skip(noBrowser);
  const { page, peer, faults } = await openPage();
  await answer(peer, [9, 8], true);
  peer.say(gap(1, 1, 9));
  expect(await peer.next('history')).toMatchObject({ after: 0, limit: 7 });
  peer.socket.terminate();
  const { peer: next } = await server.greet();
  expect(await answer(next, [9, 8], true)).toMatchObject({ limit: 50 });
  expect(await answer(next, [1, 2], true)).toMatchObject({ after: 0, limit: 7 });
  expect(await answer(next, [3, 4, 5, 6, 7], true)).toMatchObject({ after: 2, limit: 5 });
  await page.getByText('m7').waitFor();
  expect(await shown(page)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9].map((seq) => `m${seq}`));
  expect(faults).toEqual([]);
});

test('as a gateway serves it, under its policy, it sends and receives', async (context) => {
  if (browser === null) return context.skip(noBrowser);
  const cluster = await startCluster({ archive: false });
  try {
    const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
    const page = await browser.newPage();
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (line) => void (line.type() === 'error' && faults.push(line.text())));
    const base = cluster
      .url()
      .replace(/^ws/, 'http')
      .replace(/v1\/ws$/, '');
    const response = await page.goto(`${base}#token=${cluster.token(alice)}&peer=${bob}`);
    expect(response!.headers()['content-security-policy']).toContain("default-src 'none'");
    const peer = await cluster.connect(bob);
    await page.locator('#state.connected').waitFor();
    await page.locator('#text').fill('from the page');
    await page.locator('#text').press('Enter');
    const { items } = await peer.find('deliver');
    expect(items[0]!.message).toMatchObject({ sender: alice, body: { text: 'from the page' } });
    await peer.request(
      { type: 'send', clientId: 'back', to: alice, kind: 'text', body: { text: 'to the page' } },
      'accepted',
    );
    await page.getByText('to the page').waitFor();
    expect(faults).toEqual([]);
    await page.close();
  } finally {
    await cluster.stop();
  }
});

test('amendments are laid over their messages, the newest wins, and they are not shown themselves', async (context) => {
  if (browser === null) return context.skip(noBrowser);
  const { page, peer, faults } = await openPage();
  await answer(peer, [], false);
  const amend = (seq: number, body: object) => ({ ...message(seq), kind: 'restante.amend', body });
  const deliver = (...messages: object[]) =>
    peer.say({ type: 'deliver', items: messages.map((one, i) => ({ position: i + 1, message: one })) });
  deliver(
    message(1),
    message(2),
    amend(3, { seq: 1, action: 'edit', version: 1, superseded: true }),
    amend(4, { seq: 1, action: 'edit', version: 2, body: 'better' }),
    amend(5, { seq: 2, action: 'recall', version: 1 }),
    amend(6, { seq: 9, action: 'edit', version: 1 }),
  );
  await page.getByText('better').waitFor();
  expect(await shown(page)).toEqual(['better', '(recalled)']);
  expect(await page.locator('#messages li small').first().textContent()).toMatch(/edited$/);
  // An older text that comes late changes nothing.
  deliver(message(1), message(7));
  await page.getByText('m7').waitFor();
  expect(await shown(page)).toEqual(['better', '(recalled)', 'm7']);
  expect(faults).toEqual([]);
});
