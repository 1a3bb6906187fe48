import { randomBytes } from 'node:crypto';
import type { Deployment, HistoryStore } from '../history/store.ts';
import type { Logger } from '../process/log.ts';
import { findRedisFaults } from '../redis/capabilities.ts';
import type { Keys } from '../redis/keys.ts';
import { formatsFault, newestFormats } from './formats.ts';
import { withLoss } from './losses.ts';
import { slotsOf } from './slots.ts';

/** The start cannot go on, and trying again does not help. */
export class DeploymentMismatch extends Error {
  override readonly name = 'DeploymentMismatch';
}

const newEpoch = (): string => randomBytes(9).toString('base64url');

/** The row about the deployment, as an opening reads and changes it. */
export function createDeploymentRows(keys: Keys, history: HistoryStore, log: Logger) {
  function mustBeRead(found: number): void {
    const fault = formatsFault(found);
    if (fault !== null) throw new DeploymentMismatch(fault);
  }

  function mustMatch(found: { partitions: number; inboxShards: number; formats?: number }): void {
    if (found.formats !== undefined) mustBeRead(found.formats);
    if (found.partitions !== keys.partitions) {
      throw new DeploymentMismatch(
        `PARTITIONS is ${keys.partitions}, but this deployment was made with ${found.partitions}`,
      );
    }
    if (found.inboxShards !== keys.inboxShards) {
      throw new DeploymentMismatch(
        `INBOX_SHARDS is ${keys.inboxShards}, but this deployment was made with ${found.inboxShards}`,
      );
    }
  }

  /** Throws DeploymentMismatch if this version or its settings do not fit Redis. `known`: what Redis says. */
  function mustFit(known: Record<string, string>, info: string): void {
    const [fault] = findRedisFaults(info);
    if (fault !== undefined) throw new DeploymentMismatch(fault);
    if (known.formats !== undefined) mustBeRead(Number(known.formats));
    if (known.partitions !== undefined)
      mustMatch({ partitions: Number(known.partitions), inboxShards: Number(known.inboxShards) });
  }

  /** Changes the row if its epoch is still `before`. Rejects if another process has begun another epoch meanwhile. */
  async function save(before: string | null, next: Deployment): Promise<Deployment> {
    const saved = await history.saveDeployment(before, next);
    if (saved.epoch !== next.epoch) throw new Error('another process has changed the deployment');
    mustMatch(saved);
    return saved;
  }

  /** Writes the first row, of an epoch that Redis may have begun already. Not opened yet. */
  async function firstRow(known: Record<string, string>): Promise<Deployment> {
    if (known.opened === '1') {
      throw new DeploymentMismatch(
        'history is empty, but this Redis belongs to a deployment that has one: HISTORY_URL names another store',
      );
    }
    const { epoch = newEpoch(), generation = '0' } = known;
    return save(null, {
      epoch,
      generation: Number(generation),
      partitions: keys.partitions,
      inboxShards: keys.inboxShards,
      opened: false,
      formats: Number(known.formats ?? newestFormats),
      losses: [],
    });
  }

  /** Writes the row after a loss. Its generation is above that of any slot, even if history is older than Redis. */
  async function nextRow(
    stored: Deployment,
    known: Record<string, string>,
    { slots, reason }: { slots: 'all' | readonly string[]; reason: string },
  ): Promise<Deployment> {
    const archived = new Map((await history.progress()).map(({ partition, completeAt }) => [partition, completeAt]));
    const lost = slotsOf(keys).partitions.flatMap((name, partition) =>
      slots === 'all' || slots.includes(name) ? [archived.get(partition) ?? 0] : [],
    );
    const lostSince = lost.length === 0 ? null : Math.min(...lost);
    const [epoch, generation] = [newEpoch(), Math.max(stored.generation, Number(known.generation ?? 0)) + 1];
    const saved = await save(stored.epoch, {
      ...stored,
      epoch,
      generation,
      opened: false,
      losses: withLoss(stored.losses, { epoch, generation, lostSince }),
    });
    log.error({ event: 'state_lost', reason, epoch, generation, lostSince });
    return saved;
  }

  return { mustMatch, mustFit, save, firstRow, nextRow };
}
