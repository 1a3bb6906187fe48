import type { Redis } from 'ioredis';
import { Refusal } from '../model/errors.ts';
import { mostSettings, settingsOf, type VersionedSettings } from '../model/settings.ts';
import { createAsking, type Help } from './conversations/asking.ts';
import { currentReply, openReply, orRetryLater, storageFailure } from './failures.ts';
import type { Keys } from './keys.ts';
import { lossJump } from './loss.ts';
import { run } from './scripts.ts';

/** One stored setting; `value` as JSON, `null`: removed. */
export type InstalledSetting = { key: string; version: number; value: string };

/** `<version> <JSON>`. */
const valueOf = (stored: string): string => stored.slice(stored.indexOf(' ') + 1);

/**
 * What users have set, in the slot of the partition that the user's id hashes to: the archive keeps it from there.
 * `help.load` brings a user's settings back from history.
 */
export function createSettings(redis: Redis, keys: Keys, limits: { mostUnsettled: number }, help: Help) {
  const asked = createAsking(help);
  const slot = (user: string): string => keys.partitionSlot(keys.partitionOf(user));

  return {
    /** Rejects with `retry_later` if they cannot be read now. */
    async read(user: string): Promise<VersionedSettings> {
      const [, version, ...flat] = await asked(user, () =>
        run<string[]>(redis, 'read-settings', [slot(user), keys.settings(user)], []),
      );
      const stored = new Map<string, string>();
      for (let i = 0; i < flat.length; i += 2) stored.set(flat[i]!, valueOf(flat[i + 1]!));
      return { ...settingsOf(stored), version: Number(version) };
    },

    /**
     * Changes all of `changes` in one step; values are JSON. Resolves the version afterwards, and whether anything
     * changed.
     */
    async set(user: string, changes: ReadonlyMap<string, string>): Promise<{ version: number; changed: boolean }> {
      const partition = keys.partitionOf(user);
      const reply = await asked(user, () =>
        run<string>(
          redis,
          'set-setting',
          [slot(user), keys.messages(partition), keys.settings(user)],
          [user, mostSettings, limits.mostUnsettled, ...[...changes].flat()],
        ),
      );
      if (reply === 'many') throw new Refusal('too_large', `a user has at most ${mostSettings} settings`);
      const [word, version, streamId] = reply.split(' ') as [string, string, string];
      if (word === 'set') help.seen(partition, streamId);
      return { version: Number(version), changed: word === 'set' };
    },

    /**
     * After a loss: installs what history knows. `epoch`: the one that was known before history was read. Rejects with
     * SlotClosed or ReadBeforeLoss, or as Redis does.
     */
    async install(epoch: string, user: string, rows: readonly InstalledSetting[]): Promise<void> {
      const args = [lossJump, epoch, ...rows.flatMap(({ key, version, value }) => [key, version, value])];
      currentReply(openReply(await run<string>(redis, 'install-settings', [slot(user), keys.settings(user)], args)));
    },

    /** Of these users, those whose receipts are off, as their shards know it. */
    async withoutReceipts(users: readonly string[]): Promise<Set<string>> {
      const pipeline = redis.pipeline();
      for (const user of users) pipeline.hget(keys.user(user), 'ro');
      const replies = (await orRetryLater(pipeline.exec()))!;
      return new Set(
        users.filter((_, i) => {
          const [error, off] = replies[i]!;
          if (error) throw storageFailure(error);
          return off === '1';
        }),
      );
    },

    /** Copies to the user's shard what is decided by there. Older copies change nothing. */
    async copy(user: string, { version, presence, receipts }: VersionedSettings): Promise<void> {
      const shard = keys.shardOf(user);
      const used = [keys.shardSlot(shard), keys.user(user)];
      const args = [version, presence, receipts ? '0' : '1', keys.presence(shard)];
      await orRetryLater(run<number | 'closed'>(redis, 'copy-settings', used, args).then(openReply));
    },
  };
}

export type Settings = ReturnType<typeof createSettings>;
