import type { Command } from './command.ts';
import { openOperatorAccess } from './operator-access.ts';

const usage = `usage: npm run cli -- partitions [--json]

Shows every partition: the entries in its stream, its owner and the unsettled entries for each consumer group, and its
surge state.`;

export const partitions: Command = {
  summary: 'owners, lag and surge state of every partition',
  usage,
  async run(args, context) {
    const { stdout } = context;
    const access = await openOperatorAccess(context);
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
        const columns = [
          `${String(partition).padStart(9)} ${String(entries).padStart(8)}`,
          `${owner(inbox.owner)} ${String(inbox.unsettled).padStart(4)}`,
          `${owner(history.owner)} ${String(history.unsettled).padStart(4)}`,
          `${state}${reason === '' ? '' : `: ${reason}`}`,
        ];
        stdout.write(`${columns.join('  ')}\n`);
      }
      return 0;
    } finally {
      await access.close();
    }
  },
};
