/** A device hears of one thing at most once in this time (ms). */
const everyMs = 1000;
/** Maximum paced hints of a connection in that time. */
const mostAtOnce = 50;
/** Maximum things whose last hint is remembered; the longest untold is forgotten. */
const mostRemembered = 1000;

type Told = { seq: number; at: number; waiting: string | null };

/**
 * Keeps hints that say how far somebody is from flooding a device. Of one thing, the first is written at once; those
 * that follow within a second are joined into one, which says the highest seq. No seq is told after a higher one.
 */
export class PacedHints {
  private readonly byKey = new Map<string, Told>();
  private waiting = 0;
  private windowFrom = -Infinity;
  private inWindow = 0;

  /** `coalesced`: it says nothing new, or takes the place of one that waits. */
  take(key: string, seq: number, text: string, now: number): 'write' | 'wait' | 'coalesced' {
    const told = this.byKey.get(key) ?? { seq: -1, at: -Infinity, waiting: null };
    if (seq <= told.seq) return 'coalesced';
    told.seq = seq;
    this.byKey.delete(key);
    this.byKey.set(key, told);
    if (told.waiting !== null) {
      told.waiting = text;
      return 'coalesced';
    }
    if (now - told.at >= everyMs && this.hasRoom(now)) {
      told.at = now;
      this.forgetLongestUntold();
      return 'write';
    }
    told.waiting = text;
    this.waiting += 1;
    return 'wait';
  }

  /** Those that have waited long enough. Ask now and then. */
  due(now: number): string[] {
    const texts: string[] = [];
    if (this.waiting === 0) return texts;
    for (const told of this.byKey.values()) {
      if (told.waiting === null || now - told.at < everyMs) continue;
      if (!this.hasRoom(now)) break;
      texts.push(told.waiting);
      told.waiting = null;
      told.at = now;
      this.waiting -= 1;
    }
    return texts;
  }

  private hasRoom(now: number): boolean {
    if (now - this.windowFrom >= everyMs) {
      this.windowFrom = now;
      this.inWindow = 0;
    }
    if (this.inWindow >= mostAtOnce) return false;
    this.inWindow += 1;
    return true;
  }

  private forgetLongestUntold(): void {
    if (this.byKey.size <= mostRemembered) return;
    const [key, { waiting }] = this.byKey.entries().next().value!;
    if (waiting !== null) this.waiting -= 1;
    this.byKey.delete(key);
  }
}
