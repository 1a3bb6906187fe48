import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { changeRow, compareRatios, readRatios, reportChanges } from '../../../bench/compare.ts';
import { readOptions } from '../../../bench/options.ts';

const goals = { saturation_to_echo: { floor: 0.2 }, receipt_commands: { ceiling: 1 } };

describe('ratios of two runs', () => {
  test('get worse in the direction of their goal, and costs without a goal by rising', () => {
    const before = { saturation_to_echo: 0.2, receipt_commands: 0.5, low_load_p50_to_nats: 4, in_50_ms_to_nats: 2 };
    const now = { saturation_to_echo: 0.1, receipt_commands: 1, low_load_p50_to_nats: 2, in_50_ms_to_nats: 3 };
    const changes = Object.fromEntries(compareRatios(before, now, goals).map(({ name, worseBy }) => [name, worseBy]));
    expect(changes).toEqual({
      saturation_to_echo: 0.5,
      receipt_commands: 1,
      low_load_p50_to_nats: -0.5,
      in_50_ms_to_nats: -0.5,
    });
  });

  test('are compared where both have them', () => {
    expect(compareRatios({ a: null, b: 1 }, { a: 1, b: null, c: 1 }, {})).toEqual([]);
  });

  const report = (now: number, tolerance: number) => {
    const said: string[] = [];
    const isFine = reportChanges(
      { machine: 'a', date: '2026-11-29', commit: '1234567', ratios: { saturation_to_echo: 0.2 } },
      { machine: 'a', ratios: { saturation_to_echo: now } },
      goals,
      { tolerance, say: (text) => said.push(text) },
    );
    return { isFine, said };
  };

  test('fail beyond the tolerance, and say which', () => {
    expect(report(0.17, 0.2)).toMatchObject({ isFine: true });
    const { isFine, said } = report(0.15, 0.2);
    expect(isFine).toBe(false);
    expect(said[0]).toBe('compared with 2026-11-29 at commit 1234567: a');
    expect(said[1]).toMatch(/^saturation_to_echo +0.2 -> +0.15 +25 % worse +beyond the tolerance$/);
  });

  test('are said where they got better too', () => {
    expect(changeRow({ name: 'x', before: 1, now: 2, worseBy: -1 }, 0.2)).toMatch(/100 % better$/);
  });
});

test('a file without ratios is refused', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'restante-test-'));
  try {
    const file = join(dir, 'results.json');
    await writeFile(file, '{"machine":"a","cases":[]}');
    await expect(readRatios(file)).rejects.toThrow('holds no ratios');
    await writeFile(file, '{"machine":"a","ratios":{"x":1}}');
    expect(await readRatios(file)).toEqual({ machine: 'a', ratios: { x: 1 } });
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('the command line takes a tolerance', () => {
  expect(readOptions([])).toMatchObject({ compare: null, tolerance: 0.2 });
  expect(readOptions(['--compare', 'x.json', '--tolerance', '0.1'])).toMatchObject({
    compare: 'x.json',
    tolerance: 0.1,
  });
  expect(() => readOptions(['--tolerance', '0'])).toThrow('above 0');
});
