import type { BrowserContext, Page } from 'playwright-core';
import { pageProcess } from '../../../tools/harness/page-process.ts';
import { type Kept, startClient, untilSynced } from './page-client.ts';
import { openPage, type Stage } from './stage.ts';

declare const kept: Kept;

/** `closed`: its tab is closed. `stopped`: its process stands still, and keeps the lock and the socket. */
export type Loss = 'closed' | 'stopped';

async function openTab(profile: BrowserContext, stage: Stage, token: string, hidden: boolean): Promise<Page> {
  const page = await openPage(profile, stage, stage.port);
  // A browser without a window calls all of its pages visible.
  if (hidden) await page.evaluate(`Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' })`);
  await startClient(page, token);
  await untilSynced(page);
  return page;
}

/**
 * Two tabs, of which the hidden one leads. How long it takes from its loss until the visible one leads and is connected
 * (ms). The user writes in the visible one at that moment: a leader that keeps its lock is judged when something is
 * wanted of it.
 */
export function loseLeader(stage: Stage, loss: Loss): Promise<number> {
  return stage.withProfile(async (profile) => {
    const [user, peer] = [stage.user('tabs'), stage.user('peer')];
    const token = await stage.cluster.token(user);
    const leader = await openTab(profile, stage, token, true);
    const visible = await openTab(profile, stage, token, false);
    if (await visible.evaluate(() => kept.client.status.get().leader)) throw new Error('the wrong tab leads');
    const pid = loss === 'stopped' ? await pageProcess(stage.browser, leader) : null;
    const since = Date.now();
    if (pid === null) await leader.close();
    else process.kill(pid, 'SIGSTOP');
    try {
      await visible.evaluate((to) => kept.client.direct(to).send({ text: 'hello' }).accepted, peer);
      return (await visible.evaluate(() => kept.ledAt)) - since;
    } finally {
      if (pid !== null) process.kill(pid, 'SIGCONT');
    }
  });
}
