import type { PresenceCounts, Processes } from '../../shared/redis/processes.ts';

/** How many are online and watched. A user with devices at two gateways counts at both. */
export type PresenceOverview = PresenceCounts & { gateways: (PresenceCounts & { id: string })[] };

export const createPresenceOverview = (processes: Pick<Processes, 'list'>) => async (): Promise<PresenceOverview> => {
  const gateways = (await processes.list()).flatMap(({ id, presence }) =>
    presence === undefined ? [] : [{ id, ...presence }],
  );
  const sum = (name: keyof PresenceCounts): number => gateways.reduce((all, one) => all + one[name], 0);
  return { users: sum('users'), watched: sum('watched'), watches: sum('watches'), gateways };
};
