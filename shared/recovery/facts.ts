import type { Redis } from 'ioredis';
import type { HistoryStore, Progress } from '../history/store.ts';
import { isBelow } from '../model/stream-ids.ts';
import type { Keys } from '../redis/keys.ts';
import { run } from '../redis/scripts.ts';
import type { StoredReport } from './evidence.ts';
import { slotsOf } from './slots.ts';
import type { Facts, Report } from './verdict.ts';

type SlotReply = [epoch: string, mark: string, lastId: string, gate: string, trimmed: string];
type Reply = [deployment: string[], reports: string[], slots: SlotReply[]];

/** Pairs of a flat reply. */
const pairs = (flat: string[]): [string, string][] =>
  Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!]);

/** The facts, and what of them the step that opens needs, in the order of its arguments. */
export type Found = {
  facts: Facts;
  /** Per partition, the id at which its stream ends. */
  lastIds: string[];
  /** Per partition, the highest id that history or a process has seen. */
  seenIds: string[];
  /** Per slot, the highest known mark. */
  marks: number[];
  /** The number of the last opening that Redis knows of. */
  lastOpening: number;
  /** Per partition, the last entry that was trimmed; '' if none was. */
  trimmed: string[];
};

/**
 * The partitions from which entries were trimmed that history does not have. _Must hold:_ `progress` was read after
 * `trimmed`, because entries are trimmed once they are archived.
 */
export const lackingOf = (trimmed: readonly string[], progress: readonly Progress[]): number[] =>
  trimmed.flatMap((id, partition) => {
    const archived = progress.find((one) => one.partition === partition)?.streamId ?? '0-0';
    return id !== '' && isBelow(archived, id) ? [partition] : [];
  });

/**
 * Reads what an opening judges by: first the rows of processes, then what history knows, then Redis.
 *
 * _Must hold:_ what history knows was read before Redis. A deployment may be at work meanwhile: its streams grow, and
 * what was just accepted is archived. Read the other way round, history seems to know what Redis has lost.
 */
export function createFactReading(
  redis: Redis,
  keys: Keys,
  history: Pick<HistoryStore, 'slots' | 'progress'>,
  enlisted: () => Promise<{ id: string; dead: boolean }[]>,
) {
  const slots = slotsOf(keys);

  /** Only what was said of this run. */
  function readReports(flat: string[], here: string): Map<string, Report> {
    const found = new Map<string, Report>();
    for (const [id, text] of pairs(flat)) {
      const report = JSON.parse(text) as StoredReport;
      if (report.run !== here) continue;
      found.set(id, {
        opening: report.opening,
        partitions: new Map(Object.entries(report.partitions)),
        lost: report.lost,
        // Older versions know no short way.
        short: report.short === true,
      });
    }
    return found;
  }

  return async (opening: number, here: string, epoch: string, timedOut: boolean): Promise<Found> => {
    const processes = await enlisted();
    const [rows, progress] = await Promise.all([history.slots(), history.progress()]);
    const [deployment, reported, states] = await run<Reply>(
      redis,
      'deployment-facts',
      [keys.deployment, keys.reports, ...slots.keysAndStreams],
      [keys.partitions],
    );
    const known = Object.fromEntries(pairs(deployment));
    const archived = new Map(progress.map(({ partition, streamId }) => [`p${partition}`, streamId]));
    const reports = readReports(reported, here);
    const highest = (slot: string): string =>
      [
        archived.get(slot) ?? '0-0',
        ...[...reports.values()].map(({ partitions }) => partitions.get(slot) ?? '0-0'),
      ].reduce((one, other) => (isBelow(one, other) ? other : one));
    return {
      facts: {
        opening,
        timedOut,
        history: { epoch, archived, slots: rows, enlisted: processes },
        redis: {
          epoch: known.epoch ?? null,
          opened: known.opened === '1',
          slots: new Map(
            slots.names.map((name, i) => {
              const [slotEpoch, mark, lastId] = states[i]!;
              return [
                name,
                {
                  epoch: slotEpoch === '' ? null : slotEpoch,
                  mark: Number(mark),
                  lastId: lastId === '' ? null : lastId,
                },
              ];
            }),
          ),
        },
        reports,
      },
      lastIds: slots.partitions.map((_, i) => states[i]![2] || '0-0'),
      seenIds: slots.partitions.map(highest),
      trimmed: slots.partitions.map((_, i) => states[i]![4]),
      lastOpening: Math.max(...states.map(([, , , gate]) => Number(gate))),
      marks: slots.names.map((name, i) => Math.max(Number(states[i]![1]), rows.get(name)?.mark ?? 0)),
    };
  };
}
