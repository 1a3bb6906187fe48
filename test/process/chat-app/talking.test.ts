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

/** People who talk by the chat app, in real browsers against a real cluster. */

const app = prepareChatApp({ search: true });

async function pair(): Promise<[AppPage & { user: string }, AppPage & { user: string }]> {
  const [alice, bob] = [app.cluster.user('alice'), app.cluster.user('bob')];
  const [one, other] = await Promise.all([app.open(), app.open()]);
  await Promise.all([signIn(one.page, app.cluster, alice, bob), signIn(other.page, app.cluster, bob, alice)]);
  return [
    { ...one, user: alice },
    { ...other, user: bob },
  ];
}

test('one click signs a demo user in, and a message is sent, received and read', async (context) => {
  if (app.browser === null) return context.skip(noBrowser);
  const [one, other] = await Promise.all([app.open(), app.open()]);
  const response = await one.page.goto(originOf(app.cluster));
  const policy = response!.headers()['content-security-policy']!;
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toContain('unsafe');
  await one.page.getByRole('button', { name: 'alice' }).click();
  await one.page.getByText('No chats yet').waitFor();
  await one.page.getByRole('button', { name: 'New chat' }).first().click();
  await one.page.getByLabel('User name').fill('bob');
  await one.page.getByRole('button', { name: 'Start chat' }).click();
  await write(one.page, 'Hello Bob');
  await vi.waitFor(async () => expect(await states(one.page)).toEqual(['Sent']), within);

  await other.page.goto(originOf(app.cluster));
  await other.page.getByRole('button', { name: 'bob' }).click();
  const row = other.page.getByRole('link', { name: /alice.*Hello Bob.*1 unread/ });
  await row.waitFor();
  await vi.waitFor(async () => expect(await states(one.page)).toEqual(['Received']), within);
  await row.click();
  await vi.waitFor(async () => expect(await states(one.page)).toEqual(['Read by bob']), within);
  await write(other.page, 'Hello Alice');
  await one.page.getByText('Hello Alice').first().waitFor();
  // Both have written, so each sees whether the other is there.
  for (const { page } of [one, other]) await page.locator('.chat-head').getByText('online', { exact: true }).waitFor();
  await composer(other.page).pressSequentially('I am');
  await one.page.locator('.chat-head').getByText('bob is typing …').waitFor();
  await one.page.reload();
  await vi.waitFor(async () => expect(await texts(one.page)).toEqual(['Hello Bob', 'Hello Alice']), within);
  expect([...one.faults, ...other.faults]).toEqual([]);
});

test('a message is edited, recalled, and found by its present text', async (context) => {
  if (app.browser === null) return context.skip(noBrowser);
  const [alice, bob] = await pair();
  await write(alice.page, 'the frist draft');
  await write(alice.page, 'a secret');
  await vi.waitFor(async () => expect(await texts(bob.page)).toEqual(['the frist draft', 'a secret']), within);

  const actions = (index: number) => alice.page.getByRole('button', { name: 'Actions for this message' }).nth(index);
  await actions(0).click();
  await alice.page.getByRole('button', { name: 'Edit' }).click();
  expect(await composer(alice.page).inputValue()).toBe('the frist draft');
  // News that come meanwhile leave what is being changed alone.
  await composer(alice.page).fill('the first');
  await write(bob.page, 'go on');
  await vi.waitFor(async () => expect(await texts(alice.page)).toContain('go on'), within);
  expect(await composer(alice.page).inputValue()).toBe('the first');
  await write(alice.page, 'the first draft');
  await vi.waitFor(async () => expect(await texts(bob.page)).toEqual(['the first draft', 'a secret', 'go on']), within);
  await bob.page.locator('.bubble').first().getByText('edited').waitFor();

  await actions(1).click();
  await alice.page.getByRole('button', { name: 'Delete for everybody' }).click();
  await alice.page.getByRole('button', { name: 'Delete', exact: true }).click();
  await vi.waitFor(
    async () => expect(await texts(bob.page)).toEqual(['the first draft', 'Message deleted', 'go on']),
    within,
  );

  // The index follows within seconds: the question is asked again until it does.
  const search = bob.page.getByLabel('Search', { exact: true });
  const found = bob.page.locator('.found');
  await vi.waitFor(async () => {
    await search.fill('');
    await search.fill('draft');
    await found.first().waitFor({ timeout: 2000 });
  }, within);
  await search.fill('secret');
  await bob.page.getByText('Nothing found').waitFor();
  await search.fill('draft');
  await found.first().click();
  await bob.page.locator('.bubble.sought').waitFor();
  expect([...alice.faults, ...bob.faults]).toEqual([]);
});

test('a group: made, written to, renamed, joined and left', async (context) => {
  if (app.browser === null) return context.skip(noBrowser);
  const [alice, bob] = await pair();
  const carol = app.cluster.user('carol');
  await alice.page.getByRole('button', { name: 'New group' }).click();
  await alice.page.getByLabel('Name of the group').fill('Team');
  await alice.page.getByLabel('Members').fill(`${bob.user}, ${carol}`);
  await alice.page.getByRole('button', { name: 'Create group' }).click();
  await alice.page.getByRole('heading', { name: 'Team' }).waitFor();
  await write(alice.page, 'welcome');
  // Its name is no part of the message: it comes with the list.
  await bob.page.getByRole('link', { name: /Team.*welcome/ }).click();
  await vi.waitFor(async () => expect(await texts(bob.page)).toEqual(['welcome']), within);
  await vi.waitFor(async () => expect(await states(alice.page)).toEqual([`Read by ${bob.user}`]), within);

  await alice.page.getByRole('button', { name: 'Group info' }).click();
  const dialog = alice.page.getByRole('dialog');
  await dialog.getByText('3 members').waitFor();
  await dialog.getByRole('button', { name: `Remove ${carol}` }).click();
  await dialog.getByText('2 members').waitFor();
  await dialog.getByLabel('Name of the group').fill('The team');
  await dialog.getByRole('button', { name: 'Rename' }).click();
  await alice.page.getByRole('heading', { name: 'The team' }).waitFor();
  await bob.page.getByText(`${alice.user} removed ${carol}`).first().waitFor();
  await dialog.getByRole('button', { name: 'Leave group' }).click();
  await alice.page.getByRole('button', { name: 'Leave', exact: true }).click();
  await bob.page.getByText(`${alice.user} left`).first().waitFor();
  expect([...alice.faults, ...bob.faults]).toEqual([]);
});

test('two devices of a user show the same, and what one has read is read on both', async (context) => {
  if (app.browser === null) return context.skip(noBrowser);
  const [alice, bob] = [app.cluster.user('alice'), app.cluster.user('bob')];
  const [phone, desktop, other] = [
    await app.open({ viewport: { width: 360, height: 740 } }),
    await app.open(),
    await app.open(),
  ];
  await Promise.all([
    signIn(phone.page, app.cluster, bob),
    signIn(desktop.page, app.cluster, bob),
    signIn(other.page, app.cluster, alice, bob),
  ]);
  await write(other.page, 'to both');
  for (const { page } of [phone, desktop]) await page.getByRole('link', { name: /to both.*1 unread/ }).waitFor();
  await phone.page.getByRole('link', { name: /to both/ }).click();
  await desktop.page.getByRole('link', { name: /to both/ }).waitFor();
  await vi.waitFor(async () => expect(await desktop.page.getByText('1 unread').count()).toBe(0), within);
  await write(phone.page, 'from the phone');
  await desktop.page.getByRole('link', { name: /You: from the phone/ }).waitFor();
  // Back to the list, as the button of a phone does it.
  await phone.page.goBack();
  await phone.page.getByRole('link', { name: /You: from the phone/ }).waitFor();
  expect([...phone.faults, ...desktop.faults, ...other.faults]).toEqual([]);
});
