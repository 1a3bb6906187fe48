import { setTimeout as pause } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { median } from '../../../bench/median.ts';
import { directConversation } from '../../../shared/model/ids.ts';
import { noBrowser } from '../../../tools/harness/browser.ts';
import { startProxy } from '../../../tools/rehearsal/chaos/proxy.ts';
import { createRandom } from '../../../tools/rehearsal/irc/random.ts';
import { composer, prepareChatApp, states, texts, within, write } from '../../support/chat-app.ts';

/**
 * The chat app while its page is loaded anew and its network is cut, again and again. Prints how long it takes to show
 * an open conversation after a reload, and another conversation.
 */

const app = prepareChatApp();

const sends = 200;
const harms = 10;

/** The conversation as the server has it, by rising seq. */
async function storedTexts(user: string, conversation: string): Promise<string[]> {
  const all: string[] = [];
  for (;;) {
    const path = `/conversations/${conversation}/messages?limit=100&after=${all.length}`;
    const { body } = await app.cluster.http(app.cluster.token(user), 'GET', path);
    const { messages } = body as { messages: { body: { text: string } }[] };
    if (messages.length === 0) return all;
    all.push(...messages.map((message) => message.body.text));
  }
}

test('what was written goes out once and in order, over reloads and cuts', async (context) => {
  if (app.browser === null) return context.skip(noBrowser);
  const random = createRandom(1);
  const alice = app.cluster.user('alice');
  const peers = Array.from({ length: 5 }, (_, i) => app.cluster.user(`peer${i}`));
  const proxy = await startProxy(Number(new URL(app.cluster.url()).port), () => random.next());
  context.onTestFinished(() => proxy.close());
  const { page } = await app.open();
  await page.goto(`http://127.0.0.1:${proxy.port}/`);
  await page.getByLabel('Stay signed in').check();
  await page.getByLabel('Token').fill(app.cluster.token(alice));
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('Connected', { exact: true }).waitFor();
  for (const peer of peers) {
    await page.getByRole('button', { name: 'New chat' }).first().click();
    await page.getByLabel('User name').fill(peer);
    await page.getByRole('button', { name: 'Start chat' }).click();
    await composer(page).waitFor();
    await write(page, 'begin');
    await vi.waitFor(async () => expect(await states(page)).toEqual(['Sent']), within);
  }

  const written = new Map(peers.map((peer) => [peer, ['begin']]));
  const reloads = new Set(Array.from({ length: harms }, () => random.between(1, sends - 1)));
  const cuts = new Set(Array.from({ length: harms }, () => random.between(1, sends - 1)));
  let open = peers.at(-1)!;
  const took: Record<'reload' | 'switch', number[]> = { reload: [], switch: [] };
  const untilShown = async (what: keyof typeof took, begin: () => Promise<unknown>): Promise<void> => {
    const begun = performance.now();
    await begin();
    await page.locator('.chat-head').getByText(open).waitFor();
    await page.locator('.bubble').first().waitFor();
    took[what].push(performance.now() - begun);
  };
  const show = (peer: string): Promise<void> => {
    open = peer;
    return untilShown('switch', () => page.evaluate(`location.hash = '#/c/${directConversation(alice, peer)}'`));
  };
  for (let i = 0; i < sends; i++) {
    if (random.chance(0.1)) await show(random.pick(peers));
    await write(page, `message ${i}`);
    written.get(open)!.push(`message ${i}`);
    if (cuts.has(i)) proxy.cut();
    if (reloads.has(i)) {
      // The message is shown once it is in the storage.
      await vi.waitFor(async () => expect((await texts(page)).at(-1)).toBe(`message ${i}`), within);
      await pause(random.between(0, 200));
      await untilShown('reload', () => page.reload());
    }
  }

  for (const peer of peers) {
    await show(peer);
    const wanted = written.get(peer)!;
    await vi.waitFor(async () => expect((await states(page)).every((state) => state === 'Sent')).toBe(true), within);
    await vi.waitFor(async () => expect((await texts(page)).slice(-50)).toEqual(wanted.slice(-50)), within);
    expect(await storedTexts(alice, directConversation(alice, peer))).toEqual(wanted);
  }
  for (const [what, times] of Object.entries(took))
    console.log(`chat app: ${what}, median ${median(times).toFixed(0)} ms`);
});
