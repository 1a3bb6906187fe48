import type { Deployment, DeploymentRow } from '../store.ts';
import { type Calls, callMs } from './calls.ts';
import type { Connected } from './connection.ts';
import { createEpochEnd } from './epoch-end.ts';
import { toDeployment } from './rows.ts';
import type { Using } from './sessions.ts';

/**
 * Rows of one collection with rising ids, the last one holds; so what the deployment was before each loss stays known.
 */
export async function newestDeployment(
  { deployment }: Connected,
  using: Using,
): Promise<{ id: number; stored: Deployment } | null> {
  const newest = await deployment.findOne({}, { sort: { _id: -1 }, ...using() });
  return newest && { id: Number(newest._id), stored: toDeployment(newest) };
}

export const createDeploymentRow = ({ call, readBehindBarrier, transaction }: Calls): DeploymentRow => ({
  deployment: () => readBehindBarrier(async (open, using) => (await newestDeployment(open, using))?.stored ?? null),

  async saveDeployment(expectedEpoch, deployment) {
    await call(callMs.look, ({ sessions }) => sessions.passBarrier());
    const endEpoch = createEpochEnd();
    return transaction(async (open, using) => {
      const newest = await newestDeployment(open, using);
      if ((newest?.stored.epoch ?? null) !== expectedEpoch) {
        if (!newest) throw new Error(`no deployment is stored, epoch ${expectedEpoch} was expected`);
        return newest.stored;
      }
      const formats = Math.max(newest?.stored.formats ?? 0, deployment.formats);
      const row = { _id: (newest?.id ?? 0) + 1, ...deployment, formats };
      await open.deployment.insertOne({ ...row }, using());
      if (newest !== null && newest.stored.epoch !== row.epoch) await endEpoch(open, row, using);
      return toDeployment(row);
    });
  },
});
