import type { Redis } from 'ioredis';
import type { Keys } from './keys.ts';

const lookEveryMs = 1000;
const sayEveryMs = 5000;

/**
 * After how long without a receipt (ms) users are notified; 0 = never. Whoever puts a message into an inbox notes who
 * has to be notified, but only `jobs` knows whether there is anybody to tell. So `jobs` says it for the whole
 * deployment, and every gateway and fanout reads it once a second.
 */
export type NotifyAfter = {
  /** Null until it was read for the first time. A process of the long way takes what its own settings say then. */
  readonly ms: number | null;
  /** Reads it now; nothing changes if Redis does not answer. */
  look(): Promise<void>;
  stop(): void;
};

/** `configured` holds until `jobs` has said something: one of an older version never does. */
export function readNotifyAfter(redis: Redis, keys: Keys, configured: number): NotifyAfter {
  let ms: number | null = null;
  async function look(): Promise<void> {
    const said = await redis.get(keys.notifyAfter).catch(() => undefined);
    if (said === undefined) return;
    // Gone with a loss of Redis: what was said last holds until it is said again.
    ms = said === null ? (ms ?? configured) : Number(said);
  }
  const looks = setInterval(() => void look(), lookEveryMs);
  return {
    get ms() {
      return ms;
    },
    look,
    stop: () => clearInterval(looks),
  };
}

/** Says it again and again, as Redis may lose it. Answers how to stop. */
export function sayNotifyAfter(redis: Redis, keys: Keys, ms: number): () => void {
  const say = (): void => void redis.set(keys.notifyAfter, ms).catch(() => undefined);
  say();
  const saying = setInterval(say, sayEveryMs);
  return () => clearInterval(saying);
}
