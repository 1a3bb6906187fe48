import { expect, test } from 'vitest';
import { cpuOf, takers, type TakerName } from '../../../bench/client/cpu.ts';

test.each(Object.keys(takers) as TakerName[])('%s takes every message, and its CPU time is counted', async (name) => {
  expect(await cpuOf(name, 200)).toBeGreaterThan(0);
});
