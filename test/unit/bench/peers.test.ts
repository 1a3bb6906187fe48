import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { LoadResult } from '../../../bench/load.ts';
import { readOptions } from '../../../bench/options.ts';
import { pairedRatio } from '../../../bench/paired-ratio.ts';
import { findHighestRate, peerCases, runCases, type PeerCase } from '../../../bench/peers/cases.ts';
import { peerChartOf, peerPanelsOf, type PeerResults } from '../../../bench/peers/chart.ts';
import { peerPageOf } from '../../../bench/peers/page.ts';
import { orderOf } from '../../../bench/peers/run.ts';
import { peerRatios, summarisePeers } from '../../../bench/peers/summary.ts';
import type { ComparedName, ComparedRun } from '../../../bench/peers/systems.ts';

const pathOf = (path: string): string => join(import.meta.dirname, '../../..', path);

const resultWith = (some: Partial<LoadResult>): LoadResult => ({
  seconds: 1,
  measured: 1000,
  perSecond: 1000,
  p50Ms: 1,
  p99Ms: 2,
  acceptedP50Ms: null,
  acceptedP99Ms: null,
  cpu: { server: 0.1 },
  generatorCores: 0.1,
  foreignCores: 0,
  sent: 1000,
  accepted: 1000,
  delivered: 1000,
  lost: 0,
  duplicated: 0,
  reordered: 0,
  strayed: 0,
  returned: 0,
  unanswered: 0,
  errors: {},
  ...some,
});

const runOf = (system: ComparedName, name: PeerCase, round: number, some: Partial<LoadResult>): ComparedRun => ({
  name,
  system,
  round,
  result: resultWith(some),
});

/** A server that is within the bound up to `within` messages a second, and delivers at most `most`. */
const serverOf =
  (most: number, within: number) =>
  async (rate: number): Promise<LoadResult> =>
    resultWith({ perSecond: Math.min(rate, most), p99Ms: rate <= within ? 10 : 500 });

describe('the highest rate within the bound', () => {
  test('is found to a sixteenth of what is delivered at saturation', async () => {
    const best = await findHighestRate(16_000, serverOf(16_000, 9800));
    expect(best?.perSecond).toBe(9000);
  });

  test('is none if the lowest rate that is tried is beyond it', async () => {
    expect(await findHighestRate(16_000, serverOf(16_000, 900))).toBe(null);
  });

  test('counts no rate at which messages queue or get lost', async () => {
    expect((await findHighestRate(16_000, serverOf(4000, 16_000)))?.perSecond).toBe(4000);
    expect(await findHighestRate(16_000, async (rate) => resultWith({ perSecond: rate, lost: 1 }))).toBe(null);
  });
});

describe('the loads of one server', () => {
  const run = async (most: number, cases: readonly PeerCase[] = peerCases) => {
    const taken: PeerCase[] = [];
    const left: string[] = [];
    await runCases(
      new Set(cases),
      async (shape) => serverOf(most, most / 2)(shape.kind === 'closed' ? most : shape.perSecond),
      { warmUpMs: 0, measureMs: 0, patienceMs: 0 },
      (name) => taken.push(name),
      (name) => left.push(name),
    );
    return { taken, left };
  };

  test('are all of them, the overload last', async () => {
    expect(await run(9000)).toEqual({
      taken: ['low-load', 'saturation', 'rate-2000', 'rate-4000', 'in-50-ms', 'overload'],
      left: [],
    });
  });

  test('are those that were asked for, and the saturation that they need', async () => {
    expect((await run(9000, ['low-load'])).taken).toEqual(['low-load']);
    expect((await run(9000, ['rate-4000'])).taken).toEqual(['saturation', 'rate-4000']);
    expect((await run(9000, ['overload', 'low-load'])).taken).toEqual(['low-load', 'saturation', 'overload']);
  });

  test('leave out rates beyond its saturation', async () => {
    expect(await run(3000)).toEqual({
      taken: ['low-load', 'saturation', 'rate-2000', 'in-50-ms', 'overload'],
      left: ['rate-4000'],
    });
  });
});

describe('ratios', () => {
  const rates = { restante: [100, 300, 50], echo: [1000, 1000, 1000] };
  const runs = (['restante', 'echo'] as const).flatMap((system) =>
    rates[system].map((perSecond, at) => runOf(system, 'saturation', at + 1, { perSecond, measured: perSecond })),
  );

  test('are the median of those of each round', () => {
    expect(pairedRatio(runs, 'saturation', ['restante', 'echo'], ({ perSecond }) => perSecond)).toBe(0.1);
    expect(peerRatios(runs)).toMatchObject({ saturation_to_echo: 0.1, saturation_cpu_to_echo: 10 });
  });

  test('are null where a side or a round is missing', () => {
    expect(peerRatios(runs.slice(0, 3))).toEqual({ in_50_ms_to_saturation: null, overload_to_saturation: null });
    const apart = runs.filter(({ system, round }) => (system === 'echo') === (round === 1));
    expect(peerRatios(apart)['saturation_to_echo']).toBe(null);
    expect(peerRatios(runs)['low_load_p50_to_echo']).toBe(null);
  });

  test('compare Restante with its own saturation of the same round', () => {
    const loads = [0.9, 0.5, 2].map((share, at) =>
      runOf('restante', 'overload', at + 1, { perSecond: share * rates.restante[at]! }),
    );
    expect(peerRatios([...runs, ...loads])).toMatchObject({ overload_to_saturation: 0.9 });
  });

  test('are taken in rounds that begin with another system each', () => {
    expect([1, 2, 3, 4].map((round) => orderOf(['a', 'b', 'c'], round).join(''))).toEqual(['abc', 'bca', 'cab', 'abc']);
  });
});

describe('the chart of a comparison', () => {
  const runs = [
    runOf('socket.io', 'saturation', 1, { perSecond: 2000, lost: 3 }),
    runOf('restante', 'saturation', 1, { perSecond: 1000 }),
    runOf('socket.io', 'rate-2000', 1, {}),
  ];
  const results = summarisePeers(runs, 'a load');

  test('has a bar for every system that was measured, and no panel without Restante', () => {
    const panels = peerPanelsOf(results).map(({ title, bars }) => [title, ...bars.map(({ text }) => text)]);
    expect(panels).toEqual([
      ['Messages delivered a second', '1,000', '2,000'],
      ['CPU of a message', '100', '100'],
    ]);
    expect(peerChartOf(results)).toContain('a load');
    expect(peerChartOf(summarisePeers(runs.slice(0, 1), 'a load'))).toBe(null);
  });

  test('is of results that sum what was lost', () => {
    expect(results.cases.find(({ system }) => system === 'socket.io')).toMatchObject({ lost: 3, rounds: [2000] });
  });
});

describe('the page of a comparison', () => {
  const page = peerPageOf(
    summarisePeers(
      [
        runOf('restante', 'saturation', 1, { perSecond: 1000, foreignCores: 1 }),
        runOf('mosquitto', 'saturation', 1, { perSecond: 2500, duplicated: 2, foreignCores: 1 }),
        runOf('mosquitto', 'low-load', 1, { lost: 1, p50Ms: 0.123, p99Ms: 45.67 }),
      ],
      'a load',
    ),
  );
  const cellsOf = (first: string): string[][] =>
    page
      .split('\n')
      .map((line) => line.split('|').map((cell) => cell.trim()))
      .filter((cells) => cells[1] === first)
      .map((cells) => cells.slice(2, -1));

  test('has every system, with its losses, and a dash for what was not measured', () => {
    expect(cellsOf('mosquitto, QoS 1')).toEqual([
      ['2,500', '100', '–', '–', '1', '2', '0.10'],
      ['0.12 / 45.7', '–', '–', '1.00 / 2.00'],
    ]);
    expect(cellsOf('`saturation_to_mosquitto`')).toEqual([['0.4', '–']]);
    expect(page).not.toContain('Centrifugo');
  });

  test('says that the machine was busy', () => {
    expect(page).toContain('busy');
  });

  test('has columns of one width', () => {
    const table = page.split('\n\n').find((block) => block.includes('delivered/s'))!;
    expect(new Set(table.split('\n').map((line) => line.length)).size).toBe(1);
  });
});

describe('the comparison that is kept', () => {
  const kept = existsSync(pathOf('docs/bench-peers.json'))
    ? (JSON.parse(readFileSync(pathOf('docs/bench-peers.json'), 'utf8')) as PeerResults)
    : null;

  test.runIf(kept)('has the chart and the page of its figures (--peers --from docs/bench-peers.json)', () => {
    expect(readFileSync(pathOf('docs/bench-peers.svg'), 'utf8')).toBe(peerChartOf(kept!));
    expect(readFileSync(pathOf('docs/bench-peers.md'), 'utf8')).toBe(peerPageOf(kept!));
  });
});

test('the command line names systems for comparisons only', () => {
  expect(readOptions(['--peers'])).toMatchObject({ peers: true, chart: 'docs/bench-peers.svg' });
  expect(readOptions(['--peers', '--systems', 'echo'])).toMatchObject({ systems: new Set(['echo']), chart: null });
  expect(readOptions(['--peers', '--from', 'x.json']).chart).toBe('docs/bench-peers.svg');
  expect(() => readOptions(['--peers', '--systems', 'carrier-pigeon'])).toThrow('--systems knows restante, echo');
  expect(() => readOptions(['--systems', 'echo'])).toThrow('needs --peers');
  expect(() => readOptions(['--peers', '--only', 'idle'])).toThrow('--only knows low-load');
  expect(readOptions(['--peers', '--only', 'overload'])).toMatchObject({ cases: new Set(['overload']), chart: null });
  expect(() => readOptions(['--only', 'rate-2000'])).toThrow('--only knows echo');
});
