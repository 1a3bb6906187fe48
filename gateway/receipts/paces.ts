/** Remembers when something was done last, for things that are done at most once in a time (ms). */
export function createPaces(everyMs: number) {
  /** The oldest first. */
  const at = new Map<string, number>();

  function forget(now: number): void {
    for (const [key, moment] of at) {
      if (moment + everyMs > now) return;
      at.delete(key);
    }
  }

  return {
    /** When it may be done next; now, if it was not done lately. */
    nextOf: (key: string, now: number): number => Math.max(now, (at.get(key) ?? -Infinity) + everyMs),

    /** It was done now. */
    took(key: string, now: number): void {
      forget(now);
      at.delete(key);
      at.set(key, now);
    },

    get size(): number {
      return at.size;
    },
  };
}
