/** The command line of `npm run chaos`. */
import { parseArgs } from 'node:util';
import { faults } from './faults/registry.ts';
import type { Level } from './recording.ts';
import type { Fault, Ground, Group } from './stage.ts';

export type ChaosOptions = Ground & {
  /** Each run is one of these sets; several faults in one run happen at the same time. */
  readonly runs: readonly (readonly Fault[])[];
  readonly seeds: readonly number[];
  /** Leaves logs and recordings where they are, and says where. */
  readonly keep: boolean;
  /** Messages a second. */
  readonly rate: number;
  /** A folder of IRC logs whose lines are said as well. */
  readonly ircFolder?: string;
  /** Settings of the processes. */
  readonly env?: Readonly<Record<string, string>>;
};

export class UsageError extends Error {}

const groups: readonly Group[] = [
  'processes',
  'restarts',
  'cuts',
  'wipes',
  'network',
  'clocks',
  'resources',
  'combined',
];

export const usage = `usage: npm run chaos -- [options]
  --seed S          the first seed; the same seed gives the same schedules (1)
  --seeds N         that many seeds, from the first one on (1)
  --only F7,F11a    these faults; F7 stands for F7a, F7b, …; F5+F22 for both at the same time
  --group cuts      all faults of a group: ${groups.join(', ')}
  --on redis        redis (default) or replica: a primary with one replica
  --store sqlite    sqlite (default) or mongodb
  --level accepted  accepted (default), durable or stored: what every send asks for
  --mode liveness   liveness (default): faults end and everything must arrive; safety: nothing may be wrong meanwhile
  --fast            shorter runs and smaller faults
  --rate N          messages a second (60)
  --env NAME=VALUE  a setting of the processes; may be given several times
  --irc FOLDER      says what was said in these logs of IRC channels as well
  --keep            keeps logs and recordings, and says where they are
  --list            lists the faults`;

function oneOf<T extends string>(name: string, text: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === text);
  if (found === undefined) throw new UsageError(`--${name} is one of ${allowed.join(', ')}, not ${text}`);
  return found;
}

function whole(name: string, text: string, least: number): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < least)
    throw new UsageError(`--${name} must be a whole number from ${least} on, not ${text}`);
  return number;
}

/** The faults of one name: `F7a`, or `F7` for all whose number is 7. `single`: only the one of exactly this name. */
function named(name: string, single = false): Fault[] {
  const exact = faults.filter((fault) => fault.name === name);
  const found =
    single && exact.length > 0 ? exact : faults.filter(({ name: one }) => one.replace(/[a-z]+$/, '') === name);
  if (found.length === 0) found.push(...exact);
  if (found.length === 0) throw new UsageError(`--only knows no fault ${name}; npm run chaos -- --list names all`);
  return found;
}

function chosen(only: string | undefined, group: string | undefined): Fault[][] {
  if (only !== undefined && group !== undefined) throw new UsageError('give --only or --group, not both');
  if (group !== undefined) {
    const wanted = oneOf('group', group, groups);
    return faults.filter((fault) => fault.group === wanted).map((fault) => [fault]);
  }
  if (only === undefined) return faults.map((fault) => [fault]);
  return only
    .split(',')
    .flatMap((part) =>
      part.includes('+') ? [part.split('+').flatMap((one) => named(one, true))] : named(part).map((fault) => [fault]),
    );
}

function settingsOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, name, value] = /^([A-Z_]+)=(.*)$/.exec(pair) ?? [];
      if (name === undefined) throw new UsageError(`--env is a setting as NAME=VALUE, not ${pair}`);
      return [name, value!];
    }),
  );
}

/** Throws a UsageError with a sentence if an argument is not understood. */
export function readOptions(args: string[]): ChaosOptions | 'help' | 'list' {
  let values;
  try {
    ({ values } = parseArgs({
      args,
      options: {
        seed: { type: 'string', default: '1' },
        seeds: { type: 'string', default: '1' },
        only: { type: 'string' },
        group: { type: 'string' },
        on: { type: 'string', default: 'redis' },
        store: { type: 'string', default: 'sqlite' },
        level: { type: 'string', default: 'accepted' },
        mode: { type: 'string', default: 'liveness' },
        rate: { type: 'string', default: '60' },
        irc: { type: 'string' },
        env: { type: 'string', multiple: true, default: [] },
        fast: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  if (values.help) return 'help';
  if (values.list) return 'list';
  const first = whole('seed', values.seed, 0);
  return {
    runs: chosen(values.only, values.group),
    seeds: Array.from({ length: whole('seeds', values.seeds, 1) }, (_, index) => first + index),
    on: oneOf('on', values.on, ['redis', 'replica'] as const),
    store: oneOf('store', values.store, ['sqlite', 'mongodb'] as const),
    level: oneOf<Level>('level', values.level, ['accepted', 'durable', 'stored']),
    mode: oneOf('mode', values.mode, ['liveness', 'safety'] as const),
    fast: values.fast,
    keep: values.keep,
    rate: whole('rate', values.rate, 1),
    ...(values.irc === undefined ? {} : { ircFolder: values.irc }),
    env: settingsOf(values.env),
  };
}
