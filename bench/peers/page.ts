/** The page of a comparison: every figure of its last line, as `docs/bench-peers.md`. */
import { quietCores } from '../quiet.ts';
import type { PeerCase } from './cases.ts';
import { count, cpuUs, foreignCores, resultsOf, short, type PeerResult, type PeerResults } from './chart.ts';
import { markdownTable } from './markdown-table.ts';
import { peerGoals } from './summary.ts';
import { comparedNames, type ComparedName } from './systems.ts';
import { titles } from './titles.ts';

const none = '–';

const goalOf = (name: string): string => {
  const goal = peerGoals[name];
  if (goal === undefined) return none;
  return 'floor' in goal ? `at least ${goal.floor}` : `at most ${goal.ceiling}`;
};

const foreignOf = (results: PeerResults): string => {
  const cores = foreignCores(results);
  return `${cores.toFixed(2)} cores${cores > quietCores ? ': busy, so read ratios and CPU, not rates' : ''}`;
};

export function peerPageOf(results: PeerResults): string {
  const measured = comparedNames.filter((name) => results.cases.some(({ system }) => system === name));
  const of = (system: ComparedName, name: PeerCase): PeerResult | undefined =>
    resultsOf(results, name).find((one) => one.system === system);
  const rate = (one: PeerResult | undefined): string => (one?.delivered_per_s ? count(one.delivered_per_s) : none);
  const times = (one: PeerResult | undefined): string =>
    one ? `${short(one.p50_ms ?? 0)} / ${short(one.p99_ms ?? 0)}` : none;
  const sum = (system: ComparedName, pick: (one: PeerResult) => number): string =>
    count(results.cases.filter((one) => one.system === system).reduce((total, one) => total + pick(one), 0));
  const rows = measured.map((system) => {
    const saturation = of(system, 'saturation');
    return [
      titles[system],
      rate(saturation),
      saturation ? short(cpuUs(saturation) ?? 0) : none,
      rate(of(system, 'in-50-ms')),
      rate(of(system, 'overload')),
      sum(system, ({ lost }) => lost),
      sum(system, ({ duplicated }) => duplicated),
      saturation ? (saturation.generator_cores ?? 0).toFixed(2) : none,
    ];
  });
  const latencies = measured.map((system) => [
    titles[system],
    times(of(system, 'low-load')),
    times(of(system, 'rate-2000')),
    times(of(system, 'rate-4000')),
    times(of(system, 'saturation')),
  ]);
  const ratios = Object.entries(results.ratios).flatMap(([name, value]) =>
    value === null ? [] : [[`\`${name}\``, String(value), goalOf(name)]],
  );
  const about = [
    ['date', results.date],
    ['machine', results.machine],
    ['load', results.load],
    ['other work on the machine', foreignOf(results)],
    ...(results.commit === undefined ? [] : [['commit', results.commit]]),
  ];
  return [
    '# Beside other servers',
    'Written by `npm run bench -- --peers`; [how it is measured](../bench/README.md#peers).',
    '[What each system does not promise](../README.md#beside-other-servers) matters more than the figures.',
    markdownTable(['', 'this run'], about),
    markdownTable(
      [
        'system',
        'delivered/s',
        'CPU µs a message',
        'highest/s in 50 ms',
        'at twice the load',
        'lost',
        'twice',
        'cores of the load',
      ],
      rows,
    ),
    '_Highest in 50 ms_: the highest rate at which 99 of 100 messages are delivered within 50 ms.',
    '_At twice the load_: deliveries a second while twice as much is sent as at saturation.',
    '_Lost_ and _twice_: messages that did not arrive, or arrived again, in all loads together.',
    '## From send to delivery',
    'Median and 99th percentile, in ms. A rate that a system does not reach has no figure.',
    markdownTable(['system', '200/s', '2,000/s', '4,000/s', 'saturation'], latencies),
    '## Ratios',
    "Restante's figure divided by that of the system, the median of the rounds.",
    markdownTable(['ratio', 'measured', 'goal'], ratios),
    '',
  ]
    .join('\n\n')
    .replace(/\n+$/, '\n');
}
