import type { Deployment, DeploymentRow, Loss } from '../store.ts';
import type { Statements } from './database.ts';

type StoredDeployment = Omit<Deployment, 'opened' | 'losses'> & { opened: 0 | 1; losses: string };

export function createDeploymentRow({ read, write, row, transaction }: Statements): DeploymentRow {
  const storedDeployment = (): Deployment | null => {
    const stored = row<StoredDeployment>(read.deployment);
    return stored && { ...stored, opened: stored.opened === 1, losses: JSON.parse(stored.losses) as Loss[] };
  };

  return {
    async deployment() {
      return storedDeployment();
    },

    async saveDeployment(expectedEpoch, deployment) {
      return transaction(() => {
        const stored = storedDeployment();
        if ((stored?.epoch ?? null) === expectedEpoch) {
          write.deployment.run({
            ...deployment,
            opened: Number(deployment.opened),
            losses: JSON.stringify(deployment.losses),
          });
        } else if (!stored) throw new Error(`no deployment is stored, epoch ${expectedEpoch} was expected`);
        return storedDeployment() ?? deployment;
      });
    },
  };
}
