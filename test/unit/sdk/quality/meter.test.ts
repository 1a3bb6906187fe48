import { expect, test } from 'vitest';
import { createMeter } from '../../../../sdk/src/quality/meter.ts';
import { fakeClock } from '../../../../sdk/src/testing/fake-clock.ts';
import { playedEnvironment } from '../../../support/played-environment.ts';

/** What the link tells, as samples. */

function play(rttMs?: number) {
  const clock = fakeClock();
  const { environment, report } = playedEnvironment();
  const told: string[] = [];
  const meter = createMeter({
    clock,
    environment: rttMs === undefined ? environment : { ...environment, rttMs: () => rttMs },
    receiveWithinMs: () => 5000,
    changed: (quality) => told.push(quality),
  });
  const answered = (type: string, ms: number, length = 50, answer: object = {}): void =>
    meter.request({ type, ms, outcome: 'ok', length, answer: { type: 'answer', ...answer } });
  const items = (count: number) => ({ type: 'deliver', items: Array.from({ length: count }) });
  return { clock, report, told, meter, answered, items };
}

test('answers are samples of the round trip, but long ones of the rate', () => {
  const { meter, answered } = play();
  for (const type of ['ping', 'sync', 'history']) answered(type, 100);
  answered('read', 9999);
  answered('history', 1100, 50_000);
  expect(meter.estimate).toMatchObject({ rttMs: 100, rate: 50_000 });
});

test('a request without an answer in time is a failure, a refused or lost one is none', () => {
  const { meter } = play();
  for (const outcome of ['no_answer', 'lost', 'retry_later'])
    meter.request({ type: 'sync', ms: 1, outcome, length: 0 });
  expect(meter.estimate.failures).toHaveLength(1);
});

test('an end without a word is a failure, unless the device knows that it is offline', () => {
  const { meter, report } = play();
  meter.status({ state: 'waiting', code: 1006 });
  meter.status({ state: 'waiting', code: 1001 });
  meter.status({ state: 'waiting', reason: 'no token' });
  expect(meter.estimate.failures).toHaveLength(1);
  report('offline');
  meter.status({ state: 'waiting', code: 1006 });
  expect(meter.estimate.failures).toHaveLength(1);
});

test('is offline when the device says so, and after thirty seconds without a connection', async () => {
  const { meter, clock, told, report } = play();
  meter.status({ state: 'connecting' });
  await clock.advance(29_000);
  meter.status({ state: 'waiting' });
  expect(meter.quality).toBe('good');
  await clock.advance(1000);
  expect(told).toEqual(['offline']);
  meter.status({ state: 'connected' });
  expect(told).toEqual(['offline', 'good']);
  report('offline');
  meter.status({ state: 'waiting', reason: 'offline' });
  expect(told).toEqual(['offline', 'good', 'offline']);
  meter.status({ state: 'idle' });
  report('online');
  await clock.advance(60_000);
  expect(meter.quality).toBe('good');
});

test('pages of the backlog show the rate, and messages behind it do not', async () => {
  const { meter, clock, answered, items } = play();
  answered('ping', 100);
  meter.traffic('in', { type: 'welcome' }, 300);
  await clock.advance(1000);
  meter.traffic('in', items(10), 10_000);
  expect(meter.estimate.rate).toBe(10_000);
  expect(meter.pace.backlogItems).toBe(25);
  await clock.advance(1000);
  meter.traffic('out', { type: 'received', position: 10 }, 40);
  await clock.advance(1100);
  meter.traffic('in', items(10), 30_000);
  expect(meter.estimate.rate).toBe(20_000);
  meter.traffic('out', { type: 'received', position: 20 }, 40);
  meter.synced();
  await clock.advance(60_000);
  meter.traffic('in', items(10), 30_000);
  meter.traffic('out', { type: 'received', position: 30 }, 40);
  await clock.advance(60_000);
  meter.traffic('in', items(10), 30_000);
  expect(meter.estimate.rate).toBe(20_000);
});

test('an answer behind a page of the backlog is no sample of the round trip', () => {
  const { meter, answered } = play();
  meter.traffic('in', { type: 'welcome', features: ['paced'] }, 300);
  answered('ping', 3000);
  expect(meter.estimate.rttMs).toBe(null);
  meter.synced();
  answered('ping', 300);
  expect(meter.estimate.rttMs).toBe(300);
});

test('the round trip is not taken for more than half of the time of an answer', () => {
  const { meter, answered } = play();
  answered('ping', 3000);
  answered('history', 3010, 30_100);
  expect(meter.estimate.rate).toBe(20_000);
});

test('what the browser says of the network counts until something is measured, for ten seconds at most', async () => {
  const { meter, clock, answered } = play(2000);
  expect(meter.quality).toBe('bad');
  await clock.advance(10_000);
  expect(meter.quality).toBe('good');
  const other = play(500);
  expect(other.meter.quality).toBe('poor');
  other.answered('ping', 20);
  expect(other.told).toEqual(['good']);
  answered('ping', 20);
  expect(meter.quality).toBe('good');
});
