import { afterEach, expect, test, vi } from 'vitest';
import { createElection, type Election } from '../../../../sdk/src/tabs/election.ts';
import type { TabPlatform } from '../../../../sdk/src/tabs/platform.ts';
import { fakeClock } from '../../../../sdk/src/testing/fake-clock.ts';

/** Elections with the locks of this platform, and a clock that stands. */

const elections: Election[] = [];
afterEach(() => {
  for (const one of elections.splice(0)) one.withdraw();
});

let names = 0;
function play() {
  const name = `election-${process.pid}-${++names}`;
  const clock = fakeClock();
  const log: string[] = [];
  const open = (tab: string, lead: () => Promise<void> = async () => {}) => {
    const at = { visible: true, probes: 0 };
    const election = createElection({
      locks: (globalThis as unknown as TabPlatform).navigator!.locks!,
      name: () => name,
      clock,
      visible: () => at.visible,
      probe: () => void at.probes++,
      lead() {
        log.push(`${tab} leads`);
        return lead();
      },
      follow: () => void log.push(`${tab} follows`),
      fault: (error) => void log.push(`${tab}: ${error.message}`),
    });
    elections.push(election);
    election.stand();
    return { at, election };
  };
  const logs = (...lines: string[]) => vi.waitFor(() => expect(log).toEqual(lines));
  return { clock, log, open, logs };
}

/** Tab `a` leads, and `b` has been opened. */
async function playBesideLeader() {
  const { open, logs, ...played } = play();
  open('a');
  await logs('a leads');
  return { ...played, ...open('b') };
}

test('the lock passes to the next tab when its holder withdraws or resigns', async () => {
  const { open, logs } = play();
  const a = open('a');
  await logs('a leads');
  const b = open('b');
  a.election.resign();
  await logs('a leads', 'a follows', 'b leads');
  b.election.withdraw();
  await logs('a leads', 'a follows', 'b leads', 'b follows', 'a leads');
});

test('a visible tab that wants something asks twice, then robs the holder, which waits again', async () => {
  const { clock, log, at, election } = await playBesideLeader();
  election.want();
  expect(at.probes).toBe(1);
  await clock.advance(1000);
  expect(at.probes).toBe(2);
  election.want();
  await clock.advance(999);
  expect(log).toEqual(['a leads']);
  await clock.advance(1);
  await vi.waitFor(() => expect(log.toSorted()).toEqual(['a follows', 'a leads', 'b leads']));
  election.withdraw();
  await vi.waitFor(() => expect(log.at(-1)).toBe('a leads'));
});

test('a sign of life ends the asking; a hidden tab does not judge', async () => {
  const { clock, log, at, election } = await playBesideLeader();
  election.want();
  await clock.advance(1500);
  election.heard();
  await clock.advance(10_000);
  expect(at.probes).toBe(2);
  at.visible = false;
  election.want();
  expect(at.probes).toBe(2);
  at.visible = true;
  election.want();
  await clock.advance(500);
  at.visible = false;
  await clock.advance(10_000);
  expect(log).toEqual(['a leads']);
});

test('a timer that comes late does not count: the answer may wait behind it', async () => {
  const { clock, log, at, election } = await playBesideLeader();
  election.want();
  await clock.advance(1500);
  await clock.leap(3_600_000);
  expect([at.probes, log]).toEqual([3, ['a leads']]);
  election.heard();
  await clock.advance(10_000);
  expect(log).toEqual(['a leads']);
});

test('a holder that cannot begin gives the lock back, and tries again after a pause', async () => {
  const { clock, open, logs, log } = play();
  let fails = true;
  open('a', async () => {
    if (fails) throw new Error('no storage');
  });
  await logs('a leads', 'a: no storage', 'a follows');
  fails = false;
  await clock.advance(1000);
  await vi.waitFor(() => expect(log.at(-1)).toBe('a leads'));
});
