import type { Binary } from 'mongodb';
import { monotonicMs } from '../../timing/clocks.ts';
import type { Deployment } from '../store.ts';
import { clientOptions, type Connected } from './connection.ts';
import type { Using } from './sessions.ts';

/** A transaction that does nothing for this long (ms) belongs to a process that is dead, paused or cut off. */
const idleForMs = 2000;

/**
 * Ends this user's transactions that do nothing. The server itself waits a minute for their processes, and so does this
 * one if it may not look. A process that lives has its call begun again.
 */
async function endIdleTransactions({ client }: Connected): Promise<void> {
  const admin = client.db('admin');
  const idle = await admin
    .aggregate<{ lsid: { id: Binary } }>([
      { $currentOp: { allUsers: false, idleSessions: true } },
      {
        $match: {
          type: 'idleSession',
          appName: clientOptions.appName,
          'transaction.timeInactiveMicros': { $gt: idleForMs * 1000 },
        },
      },
      { $project: { lsid: 1 } },
    ])
    .toArray();
  if (idle.length > 0) await admin.command({ killSessions: idle.map(({ lsid }) => ({ id: lsid.id })) });
}

/**
 * Notes the next epoch at the progress of every partition. A write of the archive changes that row too (writes.ts), so
 * one of an earlier epoch is stored before this, or never. Each call makes what is one try of a transaction: it meets a
 * write of the archive that is going on, and is begun again.
 */
export function createEpochEnd(): (open: Connected, next: Deployment, using: Using) => Promise<void> {
  let began = monotonicMs();
  return async (open, { epoch, partitions }, using) => {
    if (monotonicMs() - began > idleForMs) {
      began = monotonicMs();
      await endIdleTransactions(open).catch(() => undefined);
    }
    const changes = Array.from({ length: partitions }, (_, partition) => ({
      updateOne: {
        filter: { _id: partition },
        update: { $set: { epoch }, $setOnInsert: { streamId: '0-0', completeAt: 0 } },
        upsert: true,
      },
    }));
    await open.progress.bulkWrite(changes, using());
  };
}
