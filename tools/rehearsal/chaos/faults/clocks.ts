import type { Fault } from '../stage.ts';
import { repeated, step } from './steps.ts';

/** Wall clocks of single processes are wrong. Order, leases and times of retention must not go by them. */
export const clockFaults: Fault[] = [
  ...(['fanout-1', 'archive-1', 'jobs-1'] as const).map((name): Fault => ({
    name: `F17${{ 'fanout-1': 'f', 'archive-1': 'a', 'jobs-1': 'j' }[name]}`,
    does: `the clock of ${name} is an hour ahead, then an hour behind`,
    group: 'clocks',
    loss: 'none',
    needs: { clocks: [name] },
    plan: () => [
      step(0, `the clock of ${name} is 1 h ahead`, ({ clock }) => clock(name).shift(3_600_000)),
      step(5000, `the clock of ${name} is 1 h behind`, ({ clock }) => clock(name).shift(-3_600_000)),
      step(10_000, `the clock of ${name} is right`, ({ clock }) => clock(name).shift(0)),
    ],
  })),
  {
    name: 'F17w',
    does: 'the clocks of two gateways are ten minutes apart',
    group: 'clocks',
    loss: 'none',
    needs: { clocks: ['web-1', 'web-2'] },
    plan: () => [
      step(0, 'web-1 is 5 min behind, web-2 5 min ahead', ({ clock }) => {
        clock('web-1').shift(-300_000);
        clock('web-2').shift(300_000);
      }),
      step(10_000, 'both are right', ({ clock }) => {
        clock('web-1').shift(0);
        clock('web-2').shift(0);
      }),
    ],
  },
  {
    name: 'F17r',
    does: 'the clock of Redis goes back 2.5 s and comes right in small steps',
    group: 'clocks',
    loss: 'none',
    needs: { clocks: ['redis-1'] },
    plan: () => {
      let shiftMs = -2500;
      return [
        step(0, 'the clock of Redis goes back 2.5 s', ({ clock }) => clock('redis-1').shift(shiftMs)),
        ...repeated(4000, 9000, 1000, 'the clock of Redis goes forward 0.5 s', ({ clock }) => {
          shiftMs = Math.min(0, shiftMs + 500);
          clock('redis-1').shift(shiftMs);
        }),
      ];
    },
  },
];
