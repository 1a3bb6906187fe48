export type EnvironmentChange = 'online' | 'offline' | 'visible' | 'hidden';

/** What the client is told about the page or app around it. */
export type Environment = {
  online(): boolean;
  visible(): boolean;
  /** The round trip of the network as the platform guesses it, if it does. It counts until one was measured. */
  rttMs?(): number | undefined;
  /** Reports changes until the returned function is called. `visible` also after a page was frozen. */
  watch(listener: (change: EnvironmentChange) => void): () => void;
};

type Target = {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
};
/** The part of a browser's globals that is read here. None of it exists in Node. */
type Page = Partial<Target> & {
  navigator?: { onLine?: boolean; connection?: { rtt?: number } };
  document?: Target & { visibilityState: string };
};

/** A browser's page; elsewhere it is always online and visible. */
export function pageEnvironment(page: Page = globalThis as unknown as Page): Environment {
  const { document } = page;
  const online = (): boolean => page.navigator?.onLine !== false;
  const visible = (): boolean => document === undefined || document.visibilityState !== 'hidden';
  return {
    online,
    visible,
    rttMs: () => page.navigator?.connection?.rtt,
    watch(listener) {
      if (document === undefined || page.addEventListener === undefined) return () => {};
      const events: [Target, string, () => void][] = [
        [page as Target, 'online', () => listener('online')],
        [page as Target, 'offline', () => listener('offline')],
        [page as Target, 'pageshow', () => listener('visible')],
        [document, 'visibilitychange', () => listener(visible() ? 'visible' : 'hidden')],
        [document, 'resume', () => listener('visible')],
      ];
      for (const [target, type, run] of events) target.addEventListener(type, run);
      return () => {
        for (const [target, type, run] of events) target.removeEventListener(type, run);
      };
    },
  };
}
