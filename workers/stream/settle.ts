import type { ChainableCommander, Redis } from 'ioredis';
import type { GroupName } from '../../shared/model/groups.ts';
import { openReply } from '../../shared/redis/failures.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import type { Publish } from '../../shared/redis/push-bus.ts';
import { queue } from '../../shared/redis/scripts.ts';

/** What is left to do for a handled batch: entries to settle, and payloads for gateways. */
export type Commit = { settle: string[]; publish: Publish[] };

/** A reply of a pipeline, as ioredis gives it. */
export type Reply = [Error | null, unknown];

const mostSettledInCall = 1000;

/** The value of a pipeline's reply; throws its error, or SlotClosed. */
export function valueOf([error, value]: Reply): unknown {
  if (error) throw error;
  return openReply(value);
}

/** Settles entries of one partition for one group. */
export function createSettling(commands: Redis, keys: Keys, group: GroupName, partition: number) {
  const messages = keys.messages(partition);
  const slot = keys.partitionSlot(partition);

  /** Adds the commands of a commit to a pipeline: it publishes first, so a crash in between repeats a push. */
  function add(pipeline: ChainableCommander, { settle, publish }: Commit): void {
    for (const { channel, payload } of publish) pipeline.publish(channel, payload);
    for (let start = 0; start < settle.length; start += mostSettledInCall)
      queue(pipeline, 'settle-entries', [slot, messages], [group, ...settle.slice(start, start + mostSettledInCall)]);
  }

  return {
    add,
    /** Commits in a round trip of its own. Rejects when any of its commands failed. */
    async commit(handled: Commit): Promise<void> {
      const pipeline = commands.pipeline();
      add(pipeline, handled);
      for (const reply of (await pipeline.exec()) as Reply[]) valueOf(reply);
    },
  };
}

export type Settling = ReturnType<typeof createSettling>;
