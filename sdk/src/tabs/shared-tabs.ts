import type { Tabs } from './api.ts';
import { createMembership } from './membership.ts';
import type { LeavingPage } from './page.ts';
import type { Locks, TabChannelConstructor, TabPlatform } from './platform.ts';

export type SharedTabsOptions = {
  /** Default: those of the browser. */
  locks?: Locks;
  /** Default: that of the browser. */
  channel?: TabChannelConstructor;
  page?: LeavingPage;
};

/**
 * One socket and one writer for all tabs of a browser that share a storage. Without the locks of browsers, or with a
 * storage that no other tab has, each tab is alone and leads itself.
 */
export const sharedTabs =
  (options: SharedTabsOptions = {}): Tabs =>
  (member) => {
    const browser = globalThis as unknown as TabPlatform & LeavingPage;
    return createMembership({
      member,
      locks: browser.navigator?.locks,
      channel: browser.BroadcastChannel,
      page: browser,
      ...options,
    });
  };
