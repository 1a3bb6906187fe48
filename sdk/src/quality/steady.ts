import type { Environment } from '../platform/environment.ts';
import type { Meter } from './meter.ts';

const minute = 60_000;

/**
 * Measures nothing: the network is used at one pace, whatever it is like. What is asked for at once is small enough
 * for most networks, so a very bad one may be overrun.
 */
export function createSteadyMeter(environment: Environment, changed: (quality: Meter['quality']) => void): Meter {
  const quality = (): Meter['quality'] => (environment.online() ? 'good' : 'offline');
  let told = quality();
  return {
    get quality() {
      return quality();
    },
    estimate: { rttMs: null, rate: null },
    get pace() {
      const visible = environment.visible();
      return {
        backlogItems: 50,
        historyItems: 50,
        lanes: 4,
        perLane: 8,
        requestTimeoutMs: 30_000,
        retry: { minMs: 500, maxMs: 5000 },
        reconnect: { minMs: 500, maxMs: 20_000 },
        checkMs: visible ? minute : 5 * minute,
        // A hidden page's timers may come a minute late, so nothing waits for one.
        holdMs: visible ? 75 : 0,
        typing: true,
        holdLow: false,
      };
    },
    request() {},
    traffic() {},
    status() {
      if (told !== quality()) changed((told = quality()));
    },
    synced() {},
  };
}
