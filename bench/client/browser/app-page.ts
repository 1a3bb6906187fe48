import type { BrowserContext, Page } from 'playwright-core';
import type { Stage } from './stage.ts';
import { fillInbox } from './writer.ts';

/** Pages of the chat app, and a user who has something to see in them. */

const conversations = 20;
export const messagesEach = 60;
/** After this time a page that is connected has stored what came, and its service worker has the files. */
const settledMs = 1000;

/** A user with 20 conversations of 60 messages. */
export async function prepareChats(stage: Stage): Promise<string> {
  const user = stage.user('chats');
  await fillInbox(stage.cluster, user, { writers: conversations, messages: messagesEach });
  return user;
}

/** The app without anybody signed in: the browser has its files then, but nothing of a user. */
export async function openApp(profile: BrowserContext, origin: string): Promise<Page> {
  const page = await profile.newPage();
  await page.goto(origin);
  await page.evaluate('navigator.serviceWorker.ready.then(() => true)');
  await page.waitForTimeout(settledMs);
  return page;
}

/** When a page has shown the list (ms). */
export type ListShown = {
  /** Since the navigation. */
  sinceLoad: number;
  /** Since the app has begun to run. */
  sinceStart: number;
};

/** Loads the app signed in, and resolves when the whole list is on the screen. */
export async function loadList(page: Page, origin: string, token: string): Promise<ListShown> {
  await page.goto('about:blank');
  await page.goto(`${origin}/#token=${token}`, { waitUntil: 'commit' });
  const sinceLoad = await page.evaluate<number>(`whenPainted('.side [data-row]', ${conversations})`);
  const startedAt = await page.evaluate<number>('startedAt');
  return { sinceLoad, sinceStart: sinceLoad - startedAt };
}

/** Resolves when the app is connected and has come to rest. */
export async function untilSettled(page: Page): Promise<void> {
  await page.getByText('Connected', { exact: true }).waitFor();
  await page.waitForTimeout(settledMs);
}
