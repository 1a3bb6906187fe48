/** The cases of groups: medians over the rounds, ratios, table rows, and the counts that must be 0. */
import type { GroupRun } from './group-target.ts';
import type { GroupCase, GroupSystem } from './groups.ts';
import { median } from './median.ts';
import { quietCores } from './quiet.ts';

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

/** The median of the known values; null if there are none. */
function middle(values: (number | null)[], digits: number): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : rounded(median(known), digits);
}

const reached = ({ reaches }: GroupRun): number[] =>
  reaches.map(({ reachedMs }) => reachedMs).filter((ms) => ms !== null);
const reachedP50 = (run: GroupRun): number | null => middle(reached(run), 3);
function reachedMax(runs: GroupRun[]): number | null {
  const all = runs.flatMap(reached);
  return all.length === 0 ? null : rounded(Math.max(...all), 3);
}
const acceptedP50 = ({ reaches }: GroupRun): number | null =>
  middle(
    reaches.map(({ acceptedMs }) => acceptedMs),
    3,
  );
const us = (seconds: number): number => seconds * 1e6;

/**
 * One case as an object of the last line. Where other cases count deliveries, this counts one message at one listener.
 */
export function groupCase({ name, system, size, createdMs, groupBytes, runs, faults }: GroupCase) {
  const cpu = middle(
    runs.map(({ redisCpu, othersCpu }) => redisCpu + othersCpu),
    6,
  );
  const isBare = system === 'bare';
  return {
    name,
    system,
    delivered_per_s: middle(
      runs.map(({ burst, burstMs }) => (burstMs === null ? null : (burst * size.online * 1000) / burstMs)),
      1,
    ),
    p50_ms: middle(runs.map(reachedP50), 3),
    p99_ms: null,
    max_ms: reachedMax(runs),
    accepted_p50_ms: middle(runs.map(acceptedP50), 3),
    burst_ms: middle(
      runs.map(({ burstMs }) => burstMs),
      3,
    ),
    cpu_s_per_1k: cpu === null ? null : rounded((cpu * 1000) / size.online, 5),
    redis_cpu_us_per_message: isBare
      ? null
      : middle(
          runs.map(({ redisCpu }) => us(redisCpu)),
          1,
        ),
    server_cpu_us_per_message: middle(
      runs.map(({ othersCpu }) => us(othersCpu)),
      1,
    ),
    members: size.members,
    online: size.online,
    created_ms: createdMs === null ? null : rounded(createdMs, 1),
    group_bytes: groupBytes,
    ...faults,
    foreign_cores: runs.map(({ foreignCores }) => rounded(foreignCores, 2)),
    rounds: runs.map(reachedP50),
    rested: runs.every(({ rested }) => rested),
  };
}

/** The ratio within each round, since a slow moment of the machine slows both sides; then the median of the ratios. */
export function groupRatios(cases: GroupCase[]) {
  const runsOf = (system: GroupSystem): GroupRun[] =>
    cases.find((each) => each.name === 'large-group' && each.system === system)?.runs ?? [];
  const paired = (over: GroupSystem, under: GroupSystem, pick: (run: GroupRun) => number | null): number | null => {
    const below = runsOf(under);
    return middle(
      runsOf(over).map((run, round) => {
        const [upper, lower] = [pick(run), below[round] === undefined ? null : pick(below[round])];
        return upper === null || lower === null || lower <= 0 ? null : upper / lower;
      }),
      3,
    );
  };
  return {
    large_group_redis_cpu: paired('fanout', 'restante', ({ redisCpu }) => redisCpu),
    large_group_all_reached: paired('restante', 'bare', reachedP50),
  };
}

/** Every online member had every accepted message, once and in order. */
export const isSoundGroup = ({ runs, faults: { lost, duplicated, reordered } }: GroupCase): boolean =>
  lost + duplicated + reordered === 0 && runs.every((run) => reached(run).length > 0);

export function groupRow(name: GroupCase['name'], system: GroupSystem, round: number, run: GroupRun): string {
  const ms = (value: number | null): string => (value === null ? '-' : `${value.toFixed(1)} ms`);
  const messageUs = (seconds: number): string => `${us(seconds).toFixed(0)} us`;
  return [
    `${String(round).padStart(5)}  ${name} ${system.padEnd(8)}  ` +
      `all reached: p50 ${ms(reachedP50(run))}, max ${ms(reachedMax([run]))}, ` +
      `${run.burst} at once ${ms(run.burstMs)}; accepted: p50 ${ms(acceptedP50(run))}`,
    `       CPU of a message: ${system === 'bare' ? '' : `redis ${messageUs(run.redisCpu)}, `}` +
      `${system === 'bare' ? '' : 'gateway and workers '}${messageUs(run.othersCpu)} ` +
      `(${run.reaches.length} messages); ` +
      `foreign ${run.foreignCores.toFixed(2)}${run.foreignCores > quietCores ? 'F' : ''}` +
      `${run.rested ? '' : '; not at rest in time'}`,
  ].join('\n');
}

/** The results of the whole case that go beyond the rounds. */
export function groupNote({ name, system, size, createdMs, groupBytes, faults }: GroupCase): string | undefined {
  const { sent, errors, ...counts } = faults;
  const noted = Object.entries({ ...counts, ...errors })
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${what} ${count}`);
  const made =
    createdMs === null
      ? []
      : [`created in ${createdMs.toFixed(0)} ms`, `${((groupBytes ?? 0) / 2 ** 20).toFixed(1)} MiB in Redis`];
  const said = [...made, ...noted];
  return said.length === 0
    ? undefined
    : `       ${name} ${system}, ${size.members} members: ${said.join(', ')} (${sent} messages)`;
}
