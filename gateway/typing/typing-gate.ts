import { typingEveryMs } from '../../shared/model/limits.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import { createLeakyBuckets } from '../limits/leaky-buckets.ts';

/** What one gateway passes on, all users together. */
const inAll = { most: 200, periodMs: 1000 };
const mostKept = 100_000;
const everything = 'all';

/**
 * How often typing is passed on: once in `typingEveryMs` for a user and conversation, and a bounded number of all
 * together. Each beginning may be followed by one end at any time. What is refused has cost one look into a map.
 */
export function createTypingGate(now = monotonicMs) {
  const bucket = createLeakyBuckets(inAll, now, 1);
  /** When the next beginning may pass, and whether an end may. */
  const passed = new Map<string, { next: number; mayEnd: boolean }>();

  return {
    /** `limited`: too much typing at this gateway; `often`: too much of this user. */
    take(user: string, conversation: string, ends: boolean): 'passed' | 'often' | 'limited' {
      const time = now();
      const key = `${user} ${conversation}`;
      const found = passed.get(key);
      if (found !== undefined && (ends ? !found.mayEnd : found.next > time)) return 'often';
      if (ends && found === undefined) return 'often';
      if (bucket.take(everything) > 0) return 'limited';
      if (passed.size >= mostKept) passed.delete(passed.keys().next().value!);
      passed.delete(key);
      passed.set(key, ends ? { next: found!.next, mayEnd: false } : { next: time + typingEveryMs, mayEnd: true });
      return 'passed';
    },

    /** Forgets who may pass again, and has ended or will not end any more. */
    sweep(): void {
      const time = now();
      for (const [key, { next, mayEnd }] of passed) if (next + (mayEnd ? 60_000 : 0) <= time) passed.delete(key);
    },
  };
}

export type TypingGate = ReturnType<typeof createTypingGate>;
