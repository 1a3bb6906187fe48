import type { Command } from './command.ts';
import { openOperatorAccess } from './operator-access.ts';

const usage = `usage: npm run cli -- partitions [--json]

Shows every partition: entries in its stream, who owns it for each group, how many entries each has not settled, how it stands.`;

export const partitions: Command = {
  summary: 'owners, lag and surge state of every partition',
  usage,
  async run(args, { env, stdout, signal }) {
    const access = await openOperatorAccess(env, signal);
    try {
      const [all, surges] = await Promise.all([access.partitions(), access.surges.all()]);
      if (args.includes('--json')) {
        stdout.write(`${JSON.stringify(all.map((one, i) => ({ ...one, surge: surges[i] })))}\n`);
        return 0;
      }
      const owner = (name: string | null): string => (name ?? 'nobody').padEnd(12);
      stdout.write('partition  entries  inbox by      lag  history by    lag  stands\n');
      for (const {
        partition,
        entries,
        groups: { inbox, history },
      } of all) {
        const { state, reason } = surges[partition]!;
        stdout.write(
          `${String(partition).padStart(9)} ${String(entries).padStart(8)}  ${owner(inbox.owner)} ${String(inbox.unsettled).padStart(4)}  ` +
            `${owner(history.owner)} ${String(history.unsettled).padStart(4)}  ${state}${reason === '' ? '' : `: ${reason}`}\n`,
        );
      }
      return 0;
    } finally {
      await access.close();
    }
  },
};
