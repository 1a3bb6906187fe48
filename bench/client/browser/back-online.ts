import { type Kept, startClient, untilSynced } from './page-client.ts';
import { startSlowWay } from './slow-way.ts';
import { openPage, type Stage } from './stage.ts';
import { openWriter } from './writer.ts';

declare const kept: Kept;

export const roundTripMs = 50;
/** How long the network is away. */
const awayMs = 2000;
/** How often somebody writes after that. */
const everyMs = 20;

/** Tells a page what its browser would tell it. */
const tell = (change: 'online' | 'offline'): string => `
  Object.defineProperty(navigator, 'onLine', { configurable: true, get: () => ${change === 'online'} });
  dispatchEvent(new Event('${change}'));`;

/**
 * The network goes, and comes back with the socket or without it. How long it takes from `online` until the client is
 * connected and takes a live message (ms). Somebody writes to it every 20 ms from then on.
 */
export async function comeBackOnline(stage: Stage, socket: 'survived' | 'lost'): Promise<number> {
  const [user, peer] = [stage.user('mobile'), stage.user('peer')];
  const way = await startSlowWay({ to: stage.port, roundTripMs });
  const writer = await openWriter(stage.cluster, peer);
  let writing: NodeJS.Timeout | undefined;
  try {
    return await stage.withProfile(async (profile) => {
      const page = await openPage(profile, stage, way.port);
      await startClient(page, await stage.cluster.token(user));
      await untilSynced(page);
      await writer.write(user, 'before');
      await page.waitForFunction(() => kept.liveAt > 0);
      way.away();
      await page.evaluate(tell('offline'));
      await page.waitForTimeout(awayMs);
      await page.evaluate(() => void (kept.liveAt = 0));
      way.back({ lost: socket === 'lost' });
      writing = setInterval(() => void writer.write(user, 'live').catch(() => {}), everyMs);
      const since = await page.evaluate<number>(`${tell('online')} Date.now();`);
      await page.waitForFunction(() => kept.liveAt > 0);
      return (await page.evaluate(() => kept.liveAt)) - since;
    });
  } finally {
    clearInterval(writing);
    writer.close();
    await way.close();
  }
}
