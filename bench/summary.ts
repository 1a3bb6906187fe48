/** From measurements to the last line: medians over the rounds, ratios, and the counts that must be 0. */
import { amendCases, amendRatios, type AmendRun } from './amends.ts';
import { commit } from './commit.ts';
import type { System } from './connect-user.ts';
import { groupCase, groupRatios } from './group-summary.ts';
import type { GroupCase } from './groups.ts';
import type { IdleResult } from './idle.ts';
import { levelCase, levelRatios, type LevelRun } from './levels.ts';
import type { LoadRun as MeasuredLoad } from './load-run.ts';
import type { LoadResult } from './load.ts';
import { machine } from './machine.ts';
import { median } from './median.ts';
import { pairedRatio } from './paired-ratio.ts';
import { receiptCase, receiptRatios, type ReceiptRun } from './receipts.ts';
import { searchLoadRatios, type SearchLoadRun } from './search-load.ts';
import { searchCase, searchRatios, type SearchRun } from './search.ts';

export type LoadName = 'saturation' | 'overload' | 'low-load';
export type LoadRun = MeasuredLoad<LoadName, System>;
export type IdleRun = { name: 'idle'; system: 'bare' | 'restante'; result: IdleResult };

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

/** CPU microseconds for each delivered message; null if none was delivered. */
export const usPerMessage = ({ cpu, measured }: LoadResult): number | null =>
  measured === 0 ? null : (Object.values(cpu).reduce((sum, used) => sum + used, 0) * 1e6) / measured;

export const usByProcess = ({ cpu, measured }: LoadResult): Record<string, number> =>
  Object.fromEntries(Object.entries(cpu).map(([name, used]) => [name, measured === 0 ? 0 : (used * 1e6) / measured]));

function merged(counts: Record<string, number>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [name, count] of counts.flatMap((each) => Object.entries(each))) sums[name] = (sums[name] ?? 0) + count;
  return sums;
}

/** Medians over the rounds of one case; counts that must be 0 are summed. */
export function loadCase<Name extends string, Of extends string>(runs: MeasuredLoad<Name, Of>[]) {
  const [{ name, system }] = runs as [MeasuredLoad<Name, Of>];
  const results = runs.map(({ result }) => result);
  const middle = (pick: (result: LoadResult) => number | null, digits: number): number | null => {
    const values = results.map(pick).filter((value) => value !== null);
    return values.length === 0 ? null : rounded(median(values), digits);
  };
  const sum = (pick: (result: LoadResult) => number): number =>
    results.reduce((total, result) => total + pick(result), 0);
  const processes = Object.keys(results[0]?.cpu ?? {});
  const us = middle(usPerMessage, 2);
  return {
    name,
    system,
    delivered_per_s: middle((result) => result.perSecond, 1),
    p50_ms: middle((result) => result.p50Ms, 3),
    p99_ms: middle((result) => result.p99Ms, 3),
    accepted_p50_ms: middle((result) => result.acceptedP50Ms, 3),
    accepted_p99_ms: middle((result) => result.acceptedP99Ms, 3),
    cpu_s_per_1k: us === null ? null : rounded(us / 1000, 5),
    cpu_us_by_process: Object.fromEntries(
      processes.map((process) => [process, middle((result) => usByProcess(result)[process] ?? 0, 2)]),
    ),
    lost: sum((result) => result.lost),
    duplicated: sum((result) => result.duplicated),
    reordered: sum((result) => result.reordered),
    strayed: sum((result) => result.strayed),
    returned: sum((result) => result.returned),
    unanswered: sum((result) => result.unanswered),
    errors: merged(results.map((result) => result.errors)),
    sent: sum((result) => result.sent),
    accepted: sum((result) => result.accepted),
    delivered: sum((result) => result.delivered),
    generator_cores: middle((result) => result.generatorCores, 2),
    foreign_cores: results.map((result) => rounded(result.foreignCores, 2)),
    rounds: results.map((result) => rounded(result.perSecond, 1)),
  };
}

/** The median over the rounds of one side's cost for a connection. */
function idleBytes(idles: IdleRun[], of: IdleRun['system'], pick: (result: IdleResult) => number): number | null {
  const values = idles.filter(({ system }) => system === of).map(({ result }) => pick(result));
  return values.length === 0 ? null : Math.round(median(values));
}
const resident = (result: IdleResult): number => result.residentBytes;
const heap = (result: IdleResult): number => result.heapBytes;

const idleCase = (idles: IdleRun[], system: IdleRun['system']) => ({
  name: 'idle',
  system,
  delivered_per_s: null,
  p50_ms: null,
  p99_ms: null,
  cpu_s_per_1k: null,
  lost: 0,
  duplicated: 0,
  connections: idles[0]!.result.connections,
  resident_bytes_per_connection: idleBytes(idles, system, resident),
  heap_bytes_per_connection: idleBytes(idles, system, heap),
});

/** The goals: `floor` is the minimum, `ceiling` the maximum. */
export const goals = {
  saturation_to_echo: { floor: 0.12 },
  receipts_to_none: { floor: 0.85 },
  receipt_commands: { ceiling: 1 },
  amend_known_to_send: { ceiling: 1.5 },
  amend_lookup_to_send: { ceiling: 4 },
  overload_to_saturation: { floor: 0.8 },
  low_load_p50_to_echo: { ceiling: 7 },
  idle_resident_to_bare: { ceiling: 1.1 },
  large_group_redis_cpu: { floor: 30 },
  large_group_all_reached: { ceiling: 1.5 },
  always_to_everysec: { floor: 0.7 },
  search_index_to_text: { ceiling: 3 },
  search_in_one_p50_ms: { ceiling: 10 },
  search_in_thousand_p50_ms: { ceiling: 250 },
  search_character_p50_ms: { ceiling: 100 },
  search_sends_to_without: { floor: 0.97 },
  search_lag_seconds_at_half: { ceiling: 5 },
} as const;

/** The ratios of Restante to the other side. A side that did not run gives null. */
function ratiosOf(loads: LoadRun[], idles: IdleRun[]) {
  const paired = (name: LoadName, pick: (result: LoadResult) => number | null): number | null =>
    pairedRatio(loads, name, ['restante', 'echo'], pick);
  const idle = (pick: (result: IdleResult) => number): number | null => {
    const [ours, bare] = [idleBytes(idles, 'restante', pick), idleBytes(idles, 'bare', pick)];
    return ours === null || bare === null ? null : rounded(ours / bare, 3);
  };
  /** Goodput at twice the maximum rate of the same round. */
  const overloads = loads
    .filter(({ name }) => name === 'overload')
    .flatMap(({ round, result }) => {
      const most = loads.find((run) => run.name === 'saturation' && run.system === 'restante' && run.round === round);
      return most === undefined || most.result.perSecond === 0 ? [] : [result.perSecond / most.result.perSecond];
    });
  return {
    overload_to_saturation: overloads.length === 0 ? null : rounded(median(overloads), 3),
    saturation_to_echo: paired('saturation', (result) => result.perSecond),
    low_load_p50_to_echo: paired('low-load', (result) => result.p50Ms),
    saturation_cpu_to_echo: paired('saturation', usPerMessage),
    idle_resident_to_bare: idle(resident),
    idle_heap_to_bare: idle(heap),
  };
}

/** The object of the last line. */
export function summarise(
  loads: LoadRun[],
  idles: IdleRun[],
  groups: GroupCase[],
  levels: LevelRun[] = [],
  receipts: ReceiptRun[] = [],
  amends: AmendRun[] = [],
  search: SearchRun | null = null,
  searchLoads: SearchLoadRun[] = [],
) {
  const cases = Map.groupBy(loads, ({ name, system }) => `${name} ${system}`);
  return {
    machine: machine(),
    ...commit(),
    date: new Date().toISOString().slice(0, 10),
    cases: [
      ...[...cases.values()].map(loadCase),
      ...(idles.length > 0 ? [idleCase(idles, 'bare'), idleCase(idles, 'restante')] : []),
      ...groups.map(groupCase),
      ...[...Map.groupBy(levels, ({ system }) => system).values()].map(levelCase),
      ...[...Map.groupBy(receipts, ({ system }) => system).values()].map(receiptCase),
      ...(amends.length > 0 ? amendCases(amends) : []),
      ...(search === null ? [] : [searchCase(search)]),
    ],
    ratios: {
      ...ratiosOf(loads, idles),
      ...groupRatios(groups),
      ...levelRatios(levels),
      ...receiptRatios(receipts),
      ...amendRatios(amends),
      ...searchRatios(search),
      ...searchLoadRatios(searchLoads),
    },
    goals,
  };
}

/** Messages were delivered, and no accepted one was lost, duplicated, out of order or delivered to somebody else. */
export const isSound = (loads: LoadRun[]): boolean =>
  loads.every(
    ({ result: { measured, lost, duplicated, reordered, strayed } }) =>
      measured > 0 && lost + duplicated + reordered + strayed === 0,
  );
