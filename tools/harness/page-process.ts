import type { Browser, Page } from 'playwright-core';

/** The id of the process of a page: the one whose CPU time grows while the page works, for half a second. */
export async function pageProcess(browser: Browser, page: Page): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const times = async () => {
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    return new Map(processInfo.map(({ id, cpuTime }) => [id, cpuTime]));
  };
  const before = await times();
  await page.evaluate(() => {
    for (const since = performance.now(); performance.now() - since < 500;);
  });
  const after = await times();
  await session.detach();
  const grown = [...after].map(([id, time]) => [id, time - (before.get(id) ?? 0)] as const);
  return grown.toSorted(([, one], [, other]) => other - one)[0]![0];
}
