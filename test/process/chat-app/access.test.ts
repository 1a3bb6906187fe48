import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { noBrowser } from '../../../tools/harness/browser.ts';
import { nextFrames, prepareChatApp, signIn, states, texts, within, write } from '../../support/chat-app.ts';
import { originOf } from '../../support/cluster.ts';

/** The chat app for everybody: checked by axe-core in all its forms, and used without a pointer. */

const app = prepareChatApp({ search: true });
let axe: string;
beforeAll(async () => {
  axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
});

type Violation = { id: string; nodes: { html: string; failureSummary: string }[] };

async function violations(page: Page, where: string): Promise<string[]> {
  const found = (await page.evaluate(`${axe}; axe.run().then(({ violations }) => violations)`)) as Violation[];
  return found.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${where}: ${id} ${html} ${failureSummary}`),
  );
}

const widths = [360, 1280];
const schemes = ['light', 'dark'] as const;

describe.each(widths.flatMap((width) => schemes.map((scheme) => [width, scheme] as const)))(
  'at a width of %i, %s',
  (width, colorScheme) => {
    test('nothing keeps anybody out', async (context) => {
      if (app.browser === null) return context.skip(noBrowser);
      const [alice, bob] = [app.cluster.user('alice'), app.cluster.user('bob')];
      const viewport = { width, height: width === 360 ? 740 : 800 };
      const { page } = await app.open({ viewport, colorScheme, bypassCSP: true });
      const found: string[] = [];
      const look = async (where: string): Promise<void> => void found.push(...(await violations(page, where)));
      await page.goto(originOf(app.cluster));
      await page.getByText('Messages that arrive').waitFor();
      await look('signing in');
      await signIn(page, app.cluster, alice, bob);
      await look('an empty conversation');
      await write(page, 'Hello https://example.com');
      // The answer comes after it, and is what the list shows.
      await vi.waitFor(async () => expect(await states(page)).toEqual(['Sent']), within);
      await app.cluster.http(app.cluster.token(bob), 'POST', '/messages', {
        clientId: 'answer',
        to: alice,
        kind: 'text',
        body: { text: 'Hello Alice' },
      });
      await vi.waitFor(async () => expect(await texts(page)).toHaveLength(2), within);
      await look('a conversation');
      await page.locator('.bubble').first().hover();
      await page.getByRole('button', { name: 'Actions for this message' }).first().click();
      await look('the menu of a message');
      await page.getByRole('button', { name: 'Edit' }).click();
      await look('editing');
      await page.keyboard.press('Escape');
      if (width === 360) await page.getByRole('link', { name: 'Back to the chats' }).click();
      await page.getByRole('link', { name: /Hello Alice/ }).waitFor();
      await look('the list');
      await page.getByLabel('Search', { exact: true }).fill('nobody of this name');
      await look('a search');
      await page.getByRole('button', { name: 'Clear search' }).click();
      for (const name of ['New chat', 'New group', 'Settings']) {
        await page.getByRole('button', { name }).first().click();
        await page.getByRole('dialog').waitFor();
        await look(name);
        await page.keyboard.press('Escape');
        await page.getByRole('dialog').waitFor({ state: 'detached' });
      }
      await page.getByRole('button', { name: 'New group' }).click();
      await page.getByLabel('Name of the group').fill('Team');
      await page.getByRole('button', { name: 'Create group' }).click();
      await page.getByRole('button', { name: 'Group info' }).click();
      await page.getByText('1 members').waitFor();
      await look('a group');
      await page.getByRole('button', { name: 'Leave group' }).click();
      await look('a question');
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      expect(found).toEqual([]);
    });
  },
);

test('everything can be done by the keyboard alone', async (context) => {
  if (app.browser === null) return context.skip(noBrowser);
  const [alice, bob] = [app.cluster.user('alice'), app.cluster.user('bob')];
  const group = `keys_${alice}`;
  const api = (user: string, path: string, body: object) =>
    app.cluster.http(app.cluster.token(user), 'POST', path, body);
  await api(alice, '/conversations', { id: group, name: 'Keys', members: [bob] });
  for (let i = 1; i <= 130; i++)
    await api(bob, '/messages', { clientId: `k${i}`, conversation: group, kind: 'text', body: { text: `key ${i}` } });
  const { page, faults } = await app.open();
  await signIn(page, app.cluster, alice);
  const { keyboard } = page;
  const focused = (): Promise<string> =>
    page.evaluate(`document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent`);
  /** Presses Tab until something is focused. */
  const tabTo = async (name: RegExp, key = 'Tab'): Promise<void> => {
    for (let i = 0; i < 40; i++) {
      if (name.test(await focused())) return;
      await keyboard.press(key);
    }
    throw new Error(`${name} cannot be reached by ${key}`);
  };
  await page.getByRole('link', { name: /Keys/ }).waitFor();
  await tabTo(/^Search$/);
  await keyboard.type('key');
  await keyboard.press('ArrowDown');
  expect(await focused()).toContain('Keys');
  await keyboard.press('Enter');
  await vi.waitFor(async () => expect(await focused()).toBe('Message to Keys'), within);
  await page.getByText('key 130').last().waitFor();
  await keyboard.type('sent without a pointer');
  await keyboard.press('Enter');
  await vi.waitFor(async () => expect(await states(page)).toEqual(['Sent']), within);
  await tabTo(/^Messages of Keys$/, 'Shift+Tab');
  for (let i = 0; i < 40 && (await page.getByText('This is the beginning').count()) === 0; i++) {
    await keyboard.press('Home');
    await nextFrames(page);
  }
  await page.getByText('This is the beginning').waitFor();
  await keyboard.press('End');
  await tabTo(/^Message to Keys$/);
  await keyboard.press('ArrowUp');
  await page.getByText('Editing a message').waitFor();
  await keyboard.type('!');
  await keyboard.press('Enter');
  await vi.waitFor(async () => expect((await texts(page)).at(-1)).toBe('sent without a pointer!'), within);
  await tabTo(/^Group info$/, 'Shift+Tab');
  await keyboard.press('Enter');
  await page.getByRole('dialog').getByText('2 members').waitFor();
  await tabTo(/^\s*Leave group\s*$/);
  await keyboard.press('Enter');
  await tabTo(/^\s*Leave\s*$/);
  await keyboard.press('Enter');
  await page.getByText('Choose a chat to begin').waitFor();
  expect(faults).toEqual([]);
});
