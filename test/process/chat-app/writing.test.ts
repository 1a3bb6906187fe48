import type { Page } from 'playwright-core';
import { expect, test, vi } from 'vitest';
import { noBrowser } from '../../../tools/harness/browser.ts';
import { composer, nextFrames, prepareChatApp, signIn, texts, within, write } from '../../support/chat-app.ts';

/** What people write, in any script, and what must do no harm. */

const app = prepareChatApp();

async function openChat(options = {}) {
  const [alice, bob] = [app.cluster.user('alice'), app.cluster.user('bob')];
  const one = await app.open(options);
  await signIn(one.page, app.cluster, alice, bob);
  return { ...one, alice, bob };
}

/** What bob sends to alice from elsewhere, with any body. */
const send = (bob: string, alice: string, clientId: string, body: unknown, kind = 'text') =>
  app.cluster.http(app.cluster.token(bob), 'POST', '/messages', { clientId, to: alice, kind, body });

const directions = (page: Page): Promise<string[]> =>
  page.evaluate(`[...document.querySelectorAll('.bubble .text')].map((one) => getComputedStyle(one).direction)`);

test('Enter ends a word of an input method, and sends only when nothing is composed', async (context) => {
  if (app.browser === null) return context.skip(noBrowser);
  const { page, faults } = await openChat();
  const devtools = await page.context().newCDPSession(page);
  await composer(page).focus();
  await devtools.send('Input.imeSetComposition', { text: 'ni hao', selectionStart: 6, selectionEnd: 6 });
  expect(await composer(page).inputValue()).toBe('ni hao');
  // Both as browsers tell it: while composing, and the key code that old ones have instead.
  const enter = (init: string): Promise<boolean> =>
    page.evaluate(`document.querySelector('textarea').dispatchEvent(new KeyboardEvent('keydown',
      { key: 'Enter', bubbles: true, cancelable: true, ${init} }))`);
  expect(await enter('isComposing: true')).toBe(true);
  expect(await enter('keyCode: 229')).toBe(true);
  expect(await texts(page)).toEqual([]);
  await devtools.send('Input.insertText', { text: '你好，世界' });
  expect(await composer(page).inputValue()).toBe('你好，世界');
  expect(await texts(page)).toEqual([]);
  await composer(page).press('Shift+Enter');
  await composer(page).pressSequentially('第二行');
  await composer(page).press('Enter');
  await vi.waitFor(async () => expect(await texts(page)).toEqual(['你好，世界\n第二行']), within);
  expect(await composer(page).inputValue()).toBe('');
  expect(faults).toEqual([]);
});

test('each text has its own direction, and one of 16 KiB without a blank stays in its place', async (context) => {
  if (app.browser === null) return context.skip(noBrowser);
  const { page, faults } = await openChat({ viewport: { width: 360, height: 740 } });
  const all = ['Hello', 'مرحبا بالعالم', 'שלום Restante עולם', '你好', '👩‍👩‍👧‍👦🏳️‍🌈'];
  for (const text of all) await write(page, text);
  await vi.waitFor(async () => expect(await texts(page)).toEqual(all), within);
  expect(await directions(page)).toEqual(['ltr', 'rtl', 'rtl', 'ltr', 'ltr']);
  const long = 'x'.repeat(16_000);
  await write(page, long);
  await vi.waitFor(async () => expect((await texts(page)).at(-1)).toBe(long), within);
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
  expect(await page.evaluate(`document.querySelector('.messages').scrollWidth`)).toBeLessThanOrEqual(360);
  // Above the server's limit nothing is sent, and what was written is still there.
  await write(page, 'y'.repeat(70_000));
  await page.getByRole('alert').filter({ hasText: 'did not work' }).waitFor();
  expect((await composer(page).inputValue()).length).toBe(70_000);
  expect(faults).toEqual([]);
});

test('only web addresses become links, and no text becomes markup', async (context) => {
  if (app.browser === null) return context.skip(noBrowser);
  const { page, faults, alice, bob } = await openChat();
  const evil = [
    'javascript:alert(1)',
    'data:text/html,<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    'see https://example.com/a?b=1, or not',
    'http://[',
  ];
  for (const [index, text] of evil.entries()) await send(bob, alice, `evil-${index}`, { text });
  await vi.waitFor(async () => expect(await texts(page)).toEqual(evil), within);
  const links = page.locator('.bubble a');
  expect(await links.count()).toBe(1);
  expect(await links.first().getAttribute('href')).toBe('https://example.com/a?b=1');
  expect(await links.first().getAttribute('rel')).toBe('noopener noreferrer');
  expect(await page.locator('.messages img, .messages script').count()).toBe(0);
  expect(faults).toEqual([]);
});

test('a body of any form is shown as something', async (context) => {
  if (app.browser === null) return context.skip(noBrowser);
  const { page, faults, alice, bob } = await openChat();
  const nested = JSON.parse(`${'['.repeat(60)}1${']'.repeat(60)}`) as unknown;
  const bodies = ['plain', 7, [1, 2], {}, { text: 5 }, { __proto__: { text: 'x' } }, nested];
  for (const [index, body] of bodies.entries()) expect((await send(bob, alice, `b-${index}`, body)).status).toBe(201);
  await send(bob, alice, 'kind', { title: 'x' }, 'card.v1');
  const odd = 'A message of kind “text”';
  await vi.waitFor(
    async () =>
      expect(await texts(page)).toEqual(['plain', odd, odd, odd, odd, odd, odd, 'A message of kind “card.v1”']),
    within,
  );
  expect(faults).toEqual([]);
});

test('an address or a name that is no good leads nowhere', async (context) => {
  if (app.browser === null) return context.skip(noBrowser);
  const { page, faults, alice } = await openChat();
  const origin = new URL(page.url()).origin;
  for (const hash of ['#/c/../../v1', '#/c/%2e%2e', '#/c/', '#/c/a b', `#/c/${'x'.repeat(65)}`]) {
    await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
    await page.getByText('Choose a chat to begin').waitFor();
  }
  const marks = '\u200f'.repeat(64);
  const made = { id: `marks_${alice}`, name: marks, members: [] };
  expect((await app.cluster.http(app.cluster.token(alice), 'POST', '/conversations', made)).status).toBe(201);
  await writeInto(page, `marks_${alice}`);
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(1280);

  await page.goto(`${origin}/v1/docs`);
  await page.goto(`${origin}/#token=garbage&peer=../x`);
  await page.getByText('That is not a token.').waitFor();
  expect(new URL(page.url()).hash).toBe('');
  await page.getByLabel('Token').fill(app.cluster.token('alice', { exp: 1000 }));
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('The token was refused').waitFor();
  expect(faults.filter((one) => !one.includes('401'))).toEqual([]);
});

/** Opens a group by its address and writes into it. */
async function writeInto(page: Page, id: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(`#/c/${id}`)}`);
  await write(page, 'into it');
  await vi.waitFor(async () => expect(await texts(page)).toEqual(['into it']), within);
}

/** In the page: the texts that are not wholly above what is seen, and how far below the upper edge they are (px). */
const textsInSight = `(() => {
  const place = document.querySelector('.messages');
  const edge = place.getBoundingClientRect().top;
  return [...place.querySelectorAll('.said')]
    .filter((one) => one.getBoundingClientRect().bottom > edge)
    .map((one) => ({ text: one.textContent, top: Math.round(one.getBoundingClientRect().top - edge) }));
})()`;
const inSight = (page: Page): Promise<{ text: string; top: number }[]> => page.evaluate(textsInSight);

test('a text stays in its place when the lines above it go to earlier messages', async (context) => {
  if (app.browser === null) return context.skip(noBrowser);
  const [alice, bob] = [app.cluster.user('alice'), app.cluster.user('bob')];
  for (let i = 1; i <= 250; i++) await send(bob, alice, `m-${i}`, { text: `message ${i}` });
  const { page, faults } = await app.open();
  await signIn(page, app.cluster, alice, bob);
  await page.getByText('message 250').last().waitFor({ state: 'attached' });
  // From here on the storage has all of it, and a page begins with the newest ones.
  await page.goto('about:blank');
  await signIn(page, app.cluster, alice, bob);
  await page.getByText('Load earlier').waitFor({ state: 'attached' });
  const first = page.locator('.messages li[data-key]').first();
  const key = await first.getAttribute('data-key');
  // The day above the first message has just gone above the upper edge.
  const [before] = await page.evaluate<{ text: string; top: number }[]>(`(() => {
    const place = document.querySelector('.messages');
    const day = place.querySelector('li .day');
    place.scrollTop += day.getBoundingClientRect().bottom - place.getBoundingClientRect().top;
    return ${textsInSight};
  })()`);
  await vi.waitFor(async () => expect(await first.getAttribute('data-key')).not.toBe(key), within);
  await nextFrames(page);
  expect(await inSight(page)).toContainEqual(before);
  expect(faults).toEqual([]);
});

test('at most 200 rows are in the page, and the place is kept while more are loaded', async (context) => {
  if (app.browser === null) return context.skip(noBrowser);
  const [alice, bob] = [app.cluster.user('alice'), app.cluster.user('bob')];
  for (let i = 1; i <= 330; i++) await send(bob, alice, `m-${i}`, { text: `message ${i}` });
  const { page, faults } = await app.open();
  await signIn(page, app.cluster, alice, bob);
  await page.getByText('message 330').last().waitFor();
  const rows = page.locator('.messages li[data-key]');
  const log = page.getByRole('log');
  await log.focus();
  const reached = new Set<string>();
  for (let turns = 0; turns < 60 && !reached.has('message 1'); turns++) {
    await page.evaluate(`document.querySelector('.messages').scrollTop -= 300`);
    const [before] = await inSight(page);
    await nextFrames(page);
    const after = await inSight(page);
    expect(after).toContainEqual(before);
    expect(await rows.count()).toBeLessThanOrEqual(200);
    reached.add(after[0]!.text);
    await log.getByText('Loading').first().waitFor({ state: 'detached' });
    if ((await page.getByText('This is the beginning').count()) > 0)
      await page.evaluate(`document.querySelector('.messages').scrollTop = 0`);
  }
  expect(reached).toContain('message 1');

  // A message that comes now moves nothing, and the button brings one to it.
  await send(bob, alice, 'late', { text: 'the newest' });
  const jump = page.getByRole('button', { name: 'Jump to the newest message' });
  await jump.getByText('1').waitFor();
  expect((await inSight(page))[0]!.text).toBe('message 1');
  await jump.click();
  await page.locator('.bubble').getByText('the newest').waitFor();
  expect(await rows.count()).toBeLessThanOrEqual(200);
  await vi.waitFor(async () => expect(await jump.count()).toBe(0), within);
  expect(faults).toEqual([]);
});

test('a page with room for more than was loaded fills itself, without being scrolled', async (context) => {
  if (app.browser === null) return context.skip(noBrowser);
  const [alice, bob] = [app.cluster.user('alice'), app.cluster.user('bob')];
  for (let i = 1; i <= 150; i++) await send(bob, alice, `m-${i}`, { text: `message ${i}` });
  const { page, faults } = await app.open({ viewport: { width: 1280, height: 8000 } });
  await signIn(page, app.cluster, alice, bob);
  await page.getByText('This is the beginning').waitFor();
  expect(await texts(page)).toEqual(Array.from({ length: 150 }, (_, i) => `message ${i + 1}`));
  // Also where the storage has all of it.
  await page.goto('about:blank');
  await signIn(page, app.cluster, alice, bob);
  await page.getByText('This is the beginning').waitFor();
  expect(await texts(page)).toHaveLength(150);
  expect(faults).toEqual([]);
});
