import { type Kept, startClient, untilSynced } from './page-client.ts';
import { openPage, type Stage } from './stage.ts';
import { fillInbox } from './writer.ts';

declare const kept: Kept;

const writers = 10;
const messagesEach = 500;

/** A user with a backlog of 5,000 messages. */
export async function prepareBacklog(stage: Stage): Promise<string> {
  const user = stage.user('backlog');
  await fillInbox(stage.cluster, user, { writers, messages: messagesEach });
  return user;
}

export type BacklogTaken = {
  /** From the client's start until everything is stored. */
  ms: number;
  /** The longest task of the page meanwhile (ms); 0 if none was longer than 50 ms. */
  longestTaskMs: number;
};

/** A new device takes the backlog of a user. */
export function takeBacklog(stage: Stage, user: string): Promise<BacklogTaken> {
  return stage.withProfile(async (profile) => {
    const page = await openPage(profile, stage, stage.port);
    await page.evaluate(`
      globalThis.tasks = [];
      globalThis.watching = new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) tasks.push(duration);
      });
      watching.observe({ entryTypes: ['longtask'] });
    `);
    const begun = performance.now();
    await startClient(page, await stage.cluster.token(user));
    await untilSynced(page);
    const ms = performance.now() - begun;
    const count = await page.evaluate(() => kept.count);
    if (count !== writers * messagesEach) throw new Error(`${count} messages of the backlog came`);
    const longestTaskMs = await page.evaluate<number>(
      'Math.max(0, ...tasks, ...watching.takeRecords().map(({ duration }) => duration))',
    );
    return { ms, longestTaskMs };
  });
}
