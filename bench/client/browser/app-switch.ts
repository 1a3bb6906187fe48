import { loadList, messagesEach, openApp, untilSettled } from './app-page.ts';
import type { Stage } from './stage.ts';

/** Milliseconds from a click to the first frame that shows what was asked for. */
export type Switched = {
  /** To conversations whose messages the page has in memory. */
  inMemory: number[];
  /** To conversations of which it has not read anything yet from its storage. */
  stored: number[];
  /** An element without any content: what a frame takes by itself. */
  frame: number[];
};

const switched = 6;
const restMs = 300;

const clickUntil = (click: string, selector: string): string => `(async () => {
  const since = performance.now();
  ${click};
  return (await whenPainted('${selector}')) - since;
})()`;

/** How long the newest bubble of a conversation takes from a click on its row. The server is at hand. */
export function switchChats(stage: Stage, user: string): Promise<Switched> {
  const origin = `http://127.0.0.1:${stage.port}`;
  return stage.withProfile(async (profile) => {
    const page = await openApp(profile, origin);
    const token = await stage.cluster.token(user);
    // The first load fills the storage, the second one has nothing but it.
    for (let loads = 0; loads < 2; loads++) {
      await loadList(page, origin, token);
      await untilSettled(page);
    }
    const ids = await page.evaluate<string[]>(
      `[...document.querySelectorAll('.side [data-row]')].map((row) => row.dataset.row)`,
    );
    const time = async (click: string, selector: string): Promise<number> => {
      const took = await page.evaluate<number>(clickUntil(click, selector));
      await page.waitForTimeout(restMs);
      return took;
    };
    const open = (id: string): Promise<number> =>
      time(
        `document.querySelector('.side [data-row="${id}"]').click()`,
        `.messages[data-conversation="${id}"] .bubble[data-seq="${messagesEach}"]`,
      );
    // The first one brings the view of conversations into the page.
    await open(ids[0]!);
    const chosen = ids.slice(1, switched + 1);
    const took: Switched = { inMemory: [], stored: [], frame: [] };
    for (const id of chosen) took.stored.push(await open(id));
    for (const id of chosen) took.inMemory.push(await open(id));
    for (let index = 0; index < switched; index++) {
      const add = `document.body.append(Object.assign(document.createElement('i'), { className: 'n${index}' }))`;
      took.frame.push(await time(add, `.n${index}`));
    }
    return took;
  });
}
