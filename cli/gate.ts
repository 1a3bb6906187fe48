import type { ProcessRow } from '../shared/history/gate-rows.ts';
import { openHistory } from '../shared/history/open.ts';
import { isCertainlyDead } from '../shared/process/process-identity.ts';
import { createProcesses } from '../shared/redis/processes.ts';
import { infoField } from '../shared/redis/server-info.ts';
import type { Command } from './command.ts';
import { openOperatorAccess } from './operator-access.ts';

const usage = `usage: npm run cli -- gate [--json]

Shows the gate in front of Redis: the epoch, the run of Redis that is open, an opening in progress and whom it waits
for, and every process that may have seen numbers.`;

function standingOf(row: ProcessRow, alive: readonly { id: string }[]): string {
  if (isCertainlyDead(row)) return 'is dead';
  return alive.some(({ id }) => id === row.id) ? 'reports' : 'is silent';
}

export const gate: Command = {
  summary: 'which run of Redis is open, and who may have seen numbers of it',
  usage,
  async run(args, context) {
    const { stdout } = context;
    const access = await openOperatorAccess(context);
    const { redis, keys, config } = access;
    const history = await openHistory(config.historyUrl, { inThread: false });
    try {
      const [info, found, reported, rows, deployment, alive] = await Promise.all([
        redis.info('server'),
        redis.hgetall(keys.deployment),
        redis.hgetall(keys.reports),
        history.enlisted(),
        history.deployment(),
        createProcesses(redis, keys).list(),
      ]);
      const run = infoField(info, 'run_id');
      const opening = found['opening'] === undefined ? null : Number(found['opening']);
      const heard = (id: string): boolean =>
        reported[id] !== undefined && (JSON.parse(reported[id]) as { opening: number }).opening >= (opening ?? 0);
      const processes = rows.map((row) => ({
        id: row.id,
        role: row.role,
        host: row.host.split(' ')[0]!,
        pid: row.pid,
        since: new Date(row.since).toISOString(),
        state: standingOf(row, alive),
        awaited: opening !== null && !heard(row.id),
      }));
      const state = {
        epoch: { history: deployment?.epoch ?? null, redis: found['epoch'] ?? null },
        generation: deployment?.generation ?? null,
        run,
        open: found['run'] === run,
        lastOpening: Number(found['gate'] ?? 0),
        opening,
        processes,
      };
      if (args.includes('--json')) {
        stdout.write(`${JSON.stringify(state)}\n`);
        return 0;
      }
      stdout.write(
        `${[
          `epoch       ${state.epoch.history ?? 'none'}, after ${state.generation ?? 0} losses` +
            (state.epoch.redis === state.epoch.history ? '' : `; Redis says ${state.epoch.redis ?? 'none'}`),
          `Redis       run ${run}, ${state.open ? `open since opening ${state.lastOpening}` : 'not open'}`,
          opening === null ? 'opening     none in progress' : `opening     ${opening} is in progress`,
          '',
          'process       role     host              pid     since                     state',
          ...processes.map(
            ({ id, role, host, pid, since, state: standing, awaited }) =>
              `${id.padEnd(12)}  ${role.padEnd(7)}  ${host.padEnd(16)}  ${String(pid).padEnd(6)}  ` +
              `${since}  ${standing}` +
              (awaited ? ', the opening waits for it' : ''),
          ),
        ].join('\n')}\n`,
      );
      return 0;
    } finally {
      await history.close();
      await access.close();
    }
  },
};
