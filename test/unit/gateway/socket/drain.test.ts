import { expect, test } from 'vitest';
import { type DrainTarget, drainConnections } from '../../../../gateway/socket/drain.ts';

/** Sockets that note when they were told and closed; `goes` answers the goodbye by closing itself. */
function crowd(count: number, how: { unanswered?: number; goes?: boolean } = {}) {
  const all = new Set<DrainTarget>();
  const began = Date.now();
  const told: { after: number; reconnectAfterMs: number }[] = [];
  const closed: { after: number; toldBefore: boolean; code: number }[] = [];
  for (let i = 0; i < count; i++) {
    let knows = false;
    const one: DrainTarget = {
      unanswered: how.unanswered ?? 0,
      write(text) {
        const frame = JSON.parse(text) as { type: string; reconnectAfterMs: number };
        expect(frame.type).toBe('drain');
        told.push({ after: Date.now() - began, reconnectAfterMs: frame.reconnectAfterMs });
        knows = true;
        if (how.goes === true) all.delete(one);
      },
      close(code) {
        closed.push({ after: Date.now() - began, toldBefore: knows, code });
        all.delete(one);
      },
    };
    all.add(one);
  }
  return { all, told, closed };
}

function groups(times: readonly { after: number }[]): number {
  let found = times.length === 0 ? 0 : 1;
  for (let i = 1; i < times.length; i++) if (times[i]!.after - times[i - 1]!.after > 30) found += 1;
  return found;
}

test('tells everybody once, in groups and with different times, then closes in groups with 1001', async () => {
  const { all, told, closed } = crowd(200);
  await drainConnections(all, 1200);
  expect(told).toHaveLength(200);
  expect(groups(told)).toBeGreaterThanOrEqual(3);
  expect(new Set(told.map(({ reconnectAfterMs }) => reconnectAfterMs)).size).toBeGreaterThan(50);
  for (const { reconnectAfterMs } of told) {
    expect(reconnectAfterMs).toBeGreaterThanOrEqual(0);
    expect(reconnectAfterMs).toBeLessThanOrEqual(600);
  }
  expect(closed).toHaveLength(200);
  expect(groups(closed)).toBeGreaterThanOrEqual(3);
  expect(closed.every(({ toldBefore, code }) => toldBefore && code === 1001)).toBe(true);
  // Nobody is closed before it had its quarter to go by itself.
  expect(closed[0]!.after - told[0]!.after).toBeGreaterThanOrEqual(295);
});

test('ends early when all clients close by themselves', async () => {
  const { all, told, closed } = crowd(3, { goes: true });
  const began = Date.now();
  await drainConnections(all, 5000);
  expect(told).toHaveLength(3);
  expect(closed).toEqual([]);
  expect(Date.now() - began).toBeLessThan(2500);
});

test('waits for open requests until the time is over', async () => {
  const { all, closed } = crowd(5, { unanswered: 1 });
  await drainConnections(all, 400);
  expect(closed).toHaveLength(5);
  expect(Math.min(...closed.map(({ after }) => after))).toBeGreaterThanOrEqual(395);
});

test('tells and closes everybody at once if there is no time', async () => {
  const { all, told, closed } = crowd(5);
  await drainConnections(all, 0);
  expect(told.map(({ reconnectAfterMs }) => reconnectAfterMs)).toEqual([0, 0, 0, 0, 0]);
  expect(closed.every(({ toldBefore }) => toldBefore)).toBe(true);
  expect(all.size).toBe(0);
});
