import { parseArgs } from 'node:util';
import { openHistory } from '../shared/history/open.ts';
import { DeploymentMismatch } from '../shared/recovery/deployment-rows.ts';
import { createOpening } from '../shared/recovery/opening.ts';
import type { Command } from './command.ts';
import { UsageError } from './context.ts';
import { openOperatorAccess } from './operator-access.ts';

const usage = `usage: npm run cli -- declare-loss --yes

Declares that stored state was lost, where that cannot be seen from inside: Redis and history were both restored from
backups, or history alone was. A new epoch begins. Numbers go on above all that can have been given, clients are told
since when something may be lost, and what the message streams still hold is archived again.

Stop all processes first, and leave Redis and the store running. A loss that was declared cannot be taken back.`;

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

export const declareLoss: Command = {
  summary: 'begin a new epoch after backups were restored',
  usage,
  async run(args, context) {
    const { stdout } = context;
    const { values } = parseArgs({ args, options: { yes: { type: 'boolean' } } });
    if (values.yes !== true) throw new UsageError(`${usage}\n\nSay --yes to go on.`);
    const access = await openOperatorAccess(context);
    const { redis, keys, config } = access;
    const history = await openHistory(config.historyUrl, { inThread: false });
    try {
      context.doing('opening Redis for a new epoch');
      const { declareLoss: declare } = createOpening({
        redis,
        keys,
        history,
        enlisted: async () => [],
        report: async () => undefined,
        log: quiet,
      });
      const { deployment, opening } = await declare();
      const since = deployment.losses.at(-1)?.lostSince ?? 0;
      const from = since === 0 ? 'the beginning' : new Date(since).toISOString();
      stdout.write(
        `Epoch ${deployment.epoch}, after ${deployment.generation} losses, by opening ${opening}.\n` +
          `Clients are told that messages accepted since ${from} may be lost.\nStart the processes now.\n`,
      );
      return 0;
    } catch (thrown) {
      if (thrown instanceof DeploymentMismatch) throw new UsageError(thrown.message);
      throw thrown;
    } finally {
      await history.close();
      await access.close();
    }
  },
};
