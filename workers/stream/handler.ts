import type { Entry } from '../../shared/model/entry.ts';
import type { Commit } from './settle.ts';

/** `again`: something earlier is missing. Nothing is settled, and the pending entries are read from the first on. */
export type Handled = Commit | 'again';

/**
 * Entries of one read, at most `entries`. After a batch of `pauseFrom` to `pauseTo` entries the next read waits
 * `pauseMs`: under load bigger batches cost less. Outside that range nothing waits.
 */
export type BatchLimits = { entries: number; pauseFrom: number; pauseTo: number; pauseMs: number };

/** What a consumer group does with its entries. */
export type Handler = {
  /**
   * Applies a contiguous batch; applying it twice has one effect. Resolves only after every write is confirmed.
   * `repeated`: the batch begins with the group's oldest unsettled entry, so nothing earlier can still come.
   * `epoch`: the one that this process knew when it asked for the entries.
   */
  handle(partition: number, entries: Entry[], repeated: boolean, epoch: string): Promise<Handled>;
  /**
   * Leaves what readers need in place of a poison entry, which is settled without its effect: a gap, or a slot without
   * a body. Rejects when it cannot.
   */
  settlePoison(partition: number, entry: Entry, epoch: string): Promise<void>;
  /** Everything of the partition up to entry `lastId` is settled, as of `since` (ms since 1970, by Redis). */
  idle?(partition: number, lastId: string, since: number, epoch: string): Promise<void>;
};
