import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Deployment } from '../history/store.ts';
import { type Logger, reason } from '../process/log.ts';
import type { Keys } from '../redis/keys.ts';
import { run } from '../redis/scripts.ts';
import { slotsOf } from './slots.ts';

/** How long the lock outlives a process that dies while it opens (ms). A living one renews it. */
const lockMs = 5000;
const renewEveryMs = 1500;

type Step = 'keep' | 'announce' | 'rewind' | 'begin' | 'open';
type Reply = [word: 'not_held' | 'kept' | 'announced' | 'rewound' | 'begun' | 'opened' | 'changed', what?: string];

/** The lock of openings, and what its holder does in Redis (open-deployment.lua). */
export function createOpeningSteps(redis: Redis, keys: Keys, log: Logger) {
  const me = randomUUID();
  const slots = slotsOf(keys).keysAndStreams;
  let attempts = 0;
  let token = '';

  const call = (step: Step, ...args: (string | number)[]): Promise<Reply> =>
    run<Reply>(
      redis,
      'open-deployment',
      [keys.deploymentLock, keys.deployment, keys.reports, ...slots],
      [token, lockMs, step, ...args],
    );

  return {
    /** Takes the lock under this run of Redis. Resolves whether this attempt holds it. */
    async take(here: string): Promise<boolean> {
      const last = token;
      token = `${me}:${++attempts}:${here}`;
      // First gives up the lock of an earlier attempt of this process, which may not have heard that it had it.
      const [, taken] = await Promise.all([
        run(redis, 'drop-lease', [keys.deploymentLock], [last]),
        run<number>(redis, 'hold-lease', [keys.deploymentLock], [token, lockMs]),
      ]);
      return taken === 1;
    },

    /** Does `work` while the lock is renewed, and gives it up afterwards. */
    async holding<Result>(work: () => Promise<Result>): Promise<Result> {
      const renewal = setInterval(() => {
        call('keep', 0, '', 0, 0, 0, 0).catch((thrown: unknown) =>
          log.debug({ event: 'lock_not_renewed', reason: reason(thrown) }),
        );
      }, renewEveryMs);
      try {
        return await work();
      } finally {
        clearInterval(renewal);
        await run(redis, 'drop-lease', [keys.deploymentLock], [token]).catch(() => undefined);
      }
    },

    /**
     * Carries out one step. `ids`: one stream id per partition; `marks`: one per slot, or 1 for
     * each slot that begins another line; for the steps that need them.
     * Resolves what the step answers. Rejects if the lock is no longer held, or what was judged is no longer there.
     */
    async carryOut(
      step: Step,
      opening: number,
      { epoch, generation, formats }: Deployment,
      ids: readonly string[] = [],
      marks: readonly number[] = [],
    ): Promise<string> {
      const about = [opening, epoch, generation, keys.partitions, keys.inboxShards, formats];
      const [word, what = ''] = await call(step, ...about, ...ids, ...marks);
      if (word === 'not_held') throw new Error('the lock was lost: another process opens');
      if (word === 'changed') throw new Error(what);
      return what;
    },
  };
}
