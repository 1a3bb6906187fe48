import { setTimeout as pause } from 'node:timers/promises';
import type { ChaosCluster } from './cluster.ts';

/** Measures how long no send is accepted: from a moment until the end of the first send that was begun after it. */
export type Probe = {
  /** From now on. A later call begins a measurement of its own. */
  begin(): void;
  /** Resolves every measurement (ms) once it is over, at the latest after `withinMs`: then with the time so far. */
  measured(withinMs: number): Promise<number[]>;
};

/** Between the beginnings of two sends (ms). Also what a measurement can be wrong by. */
const everyMs = 25;
const answerWithinMs = 5000;
/** Sends without an answer; more are not begun while one gateway hangs. */
const mostOpen = 40;

/**
 * Sends over HTTP straight to the gateways in turn, between two users of its own, so that no recorded client is
 * concerned. A send to a gateway that is down fails at once, and the next one is on its way 25 ms later.
 */
export async function createProbe(cluster: ChaosCluster): Promise<Probe> {
  const token = await cluster.token('probe', { service: true });
  const running: Promise<number>[] = [];
  let count = 0;

  async function isAccepted(gateway: string): Promise<boolean> {
    try {
      const response = await fetch(`${gateway}/v1/messages`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ sender: 'probe_a', clientId: `p${++count}`, to: 'probe_b', kind: 'text', body: count }),
        signal: AbortSignal.timeout(answerWithinMs),
      });
      await response.arrayBuffer();
      return response.status === 201;
    } catch {
      return false;
    }
  }

  async function untilAccepted(began: number, ended: () => boolean): Promise<number> {
    let tookMs: number | null = null;
    let open = 0;
    for (let turn = 0; tookMs === null && !ended(); turn += 1) {
      if (open < mostOpen) {
        open += 1;
        void isAccepted(cluster.direct[turn % cluster.direct.length]!).then((accepted) => {
          open -= 1;
          if (accepted) tookMs ??= performance.now() - began;
        });
      }
      await pause(everyMs);
    }
    return tookMs ?? performance.now() - began;
  }

  let over = false;
  return {
    begin() {
      running.push(untilAccepted(performance.now(), () => over));
    },
    async measured(withinMs) {
      const timer = setTimeout(() => (over = true), withinMs);
      const all = await Promise.all(running);
      clearTimeout(timer);
      over = true;
      return all.map(Math.round);
    },
  };
}
