import { expect, test, vi } from 'vitest';
import { createFaults } from '../../../../shared/process/faults.ts';
import { createMetrics } from '../../../../shared/process/metrics.ts';
import { noting } from '../../../support/noting.ts';

test('counts a contained exception by its place, logs its stack, and tells the caller', async () => {
  const { faults, lines, counted } = noting();
  const after: unknown[] = [];
  const first = new TypeError('thrown');
  const second = new Error('rejected');
  faults.contained(
    'timer',
    () => {
      throw first;
    },
    (thrown) => after.push(thrown),
  )();
  faults.contained(
    'push',
    async (text: string) => Promise.reject(Object.assign(second, { text })),
    (thrown) => after.push(thrown),
  )('given');
  await vi.waitFor(() => expect(after).toEqual([first, Object.assign(second, { text: 'given' })]));
  expect(lines).toMatchObject([
    { event: 'fault', where: 'timer', reason: 'thrown', stack: first.stack },
    { event: 'fault', where: 'push', reason: 'rejected', stack: second.stack },
  ]);
  expect([await counted('timer'), await counted('push'), await counted('socket')]).toEqual([1, 1, 0]);
});

test('logs one line a second for many faults of one place, and counts every one', async () => {
  const { faults, lines, counted } = noting();
  for (let i = 0; i < 1000; i++) faults.note('socket', new Error(`fault ${i}`));
  faults.note('push', 'no error at all');
  expect(lines).toMatchObject([
    { where: 'socket', reason: 'fault 0', also: 0 },
    { where: 'push', reason: 'no error at all' },
  ]);
  expect(await counted('socket')).toBe(1000);
});

test('leaves a failing gauge out of a scrape, and counts it unless its store is away', async () => {
  const metrics = createMetrics('test');
  createFaults(metrics, { debug() {}, info() {}, warn() {}, error() {} });
  metrics.deadLetters(() => {
    throw new TypeError('a bug');
  });
  metrics.queuedBytes(() => Promise.reject(new Error('Connection is closed.')));
  metrics.largeGroups(async () => [{ labels: {}, value: 7 }]);
  const text = await metrics.registry.metrics();
  expect(text).toMatch(/restante_large_groups\{role="test"\} 7/);
  expect(text).not.toMatch(/^restante_dead_letters\{/m);
  expect((await metrics.faults.get()).values).toMatchObject([{ labels: { where: 'gauge' }, value: 1 }]);
});
