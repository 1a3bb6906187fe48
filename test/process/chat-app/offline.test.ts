import { expect, test, vi } from 'vitest';
import { noBrowser } from '../../../tools/harness/browser.ts';
import {
  type AppPage,
  composer,
  prepareChatApp,
  signIn,
  states,
  texts,
  within,
  write,
} from '../../support/chat-app.ts';
import { originOf } from '../../support/cluster.ts';

/** The chat app without a network, without a server, and in several windows. */

const app = prepareChatApp();

/** The service worker has everything that the page was loaded from. */
const untilKept = (page: AppPage['page']): Promise<void> =>
  vi.waitFor(async () => {
    const kept = await page.evaluate<string[]>(`caches.open('restante-app-1').then((cache) => cache.keys())
      .then((keys) => keys.map(({ url }) => new URL(url).pathname))`);
    expect(kept).toEqual(expect.arrayContaining(['/', '/look.css', '/app/main.js']));
  }, within);

test('it starts without a server, with list and messages, and says that there is none', async (context) => {
  if (app.browser === null) return context.skip(noBrowser);
  const [alice, bob] = [app.cluster.user('alice'), app.cluster.user('bob')];
  const { page } = await app.open();
  await page.goto(originOf(app.cluster));
  await page.getByLabel('Stay signed in').check();
  await page.getByLabel('Token').fill(app.cluster.token(alice));
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('Connected', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'New chat' }).first().click();
  await page.getByLabel('User name').fill(bob);
  await page.getByRole('button', { name: 'Start chat' }).click();
  for (let i = 1; i <= 60; i++) await write(page, `message ${i}`);
  await vi.waitFor(async () => expect((await states(page)).at(-1)).toBe('Sent'), within);
  await untilKept(page);

  await app.cluster.end('web-1');
  await page.reload();
  // The list shows it as well, and perhaps earlier.
  await vi.waitFor(async () => expect((await texts(page)).at(-1)).toBe('message 60'), within);
  expect((await texts(page)).length).toBeGreaterThanOrEqual(50);
  await page.getByRole('status').getByText('No connection to the server').waitFor();

  // What is written now is kept, over another reload, and sent once.
  await write(page, 'written without a server');
  await vi.waitFor(async () => expect((await states(page)).at(-1)).toBe('Sending'), within);
  await page.reload();
  await vi.waitFor(async () => expect((await texts(page)).at(-1)).toBe('written without a server'), within);
  expect((await states(page)).at(-1)).toBe('Sending');
  await app.cluster.start('web-1');
  await vi.waitFor(async () => expect((await states(page)).at(-1)).toBe('Sent'), within);
  const all = (await app.cluster.http(app.cluster.token(alice), 'GET', '/conversations?limit=5')).body as {
    conversations: { lastSeq: number }[];
  };
  expect(all.conversations).toMatchObject([{ lastSeq: 61 }]);
});

test('without a network it says so at once, and goes on when it is back', async (context) => {
  if (app.browser === null) return context.skip(noBrowser);
  const [alice, bob] = [app.cluster.user('alice'), app.cluster.user('bob')];
  const { page } = await app.open();
  await signIn(page, app.cluster, alice, bob);
  await page.context().setOffline(true);
  await page.getByRole('status').getByText('No network').waitFor();
  await write(page, 'one');
  await write(page, 'two');
  expect(await states(page)).toEqual(['Sending', 'Sending']);
  await page.context().setOffline(false);
  await vi.waitFor(async () => expect(await states(page)).toEqual(['Sent', 'Sent']), within);
  expect(await texts(page)).toEqual(['one', 'two']);
});

test('a draft, and the conversation that was open, are there after a reload', async (context) => {
  if (app.browser === null) return context.skip(noBrowser);
  const { page, faults } = await app.open();
  await page.goto(originOf(app.cluster));
  await page.getByRole('button', { name: 'carol' }).click();
  await page.getByText('Connected', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'New chat' }).first().click();
  await page.getByLabel('User name').fill('dave');
  await page.getByRole('button', { name: 'Start chat' }).click();
  await composer(page).fill('not yet');
  await page.reload();
  await vi.waitFor(async () => expect(await composer(page).inputValue()).toBe('not yet'), within);
  expect(faults).toEqual([]);
});

test('two windows of one browser share everything, and one goes on when the other closes', async (context) => {
  if (app.browser === null) return context.skip(noBrowser);
  const [alice, bob] = [app.cluster.user('alice'), app.cluster.user('bob')];
  const { page } = await app.open();
  await signIn(page, app.cluster, alice, bob);
  await write(page, 'from the first window');
  const second = await page.context().newPage();
  await signIn(second, app.cluster, alice, bob);
  await vi.waitFor(async () => expect(await texts(second)).toEqual(['from the first window']), within);
  await write(second, 'from the second');
  for (const one of [page, second]) {
    await vi.waitFor(
      async () => expect(await texts(one)).toEqual(['from the first window', 'from the second']),
      within,
    );
    await vi.waitFor(async () => expect(await states(one)).toEqual(['Sent', 'Sent']), within);
  }
  const { devices } = (await app.cluster.http(app.cluster.token(alice), 'GET', '/devices')).body as {
    devices: unknown[];
  };
  expect(devices).toHaveLength(1);
  await page.close();
  await write(second, 'alone');
  await vi.waitFor(async () => expect(await states(second)).toEqual(['Sent', 'Sent', 'Sent']), within);
});
