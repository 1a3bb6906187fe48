import { setTimeout as pause } from 'node:timers/promises';
import type { ChaosCluster } from './cluster.ts';

/**
 * Measures how long nothing works: from a moment until the first send that was begun after it is accepted, or until
 * such a message stands in the inbox of its reader.
 */
export type Probe = {
  /** From now on. A later call begins a measurement of its own. */
  begin(until: 'accepted' | 'delivered'): void;
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
  const readerToken = await cluster.token('probe_b');
  const running: Promise<number>[] = [];
  let count = 0;
  let readTo = 0;
  let delivered = 0;
  let reading: Promise<void> | null = null;

  /** Resolves the number of the message if it was accepted. */
  async function send(gateway: string): Promise<number | null> {
    const number = ++count;
    try {
      const response = await fetch(`${gateway}/v1/messages`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ sender: 'probe_a', clientId: `p${number}`, to: 'probe_b', kind: 'text', body: number }),
        signal: AbortSignal.timeout(answerWithinMs),
      });
      await response.arrayBuffer();
      return response.status === 201 ? number : null;
    } catch {
      return null;
    }
  }

  /** Reads the reader's inbox on from where it was read last. */
  async function readOn(): Promise<void> {
    try {
      const response = await fetch(`${cluster.direct[0]}/v1/inbox?after=${readTo}&limit=200`, {
        headers: { authorization: `Bearer ${readerToken}` },
        signal: AbortSignal.timeout(answerWithinMs),
      });
      if (response.status !== 200) throw new Error(`status ${response.status}`);
      const page = (await response.json()) as { items: { message: { body: number } }[]; next: number };
      readTo = Math.max(readTo, page.next);
      for (const { message } of page.items) delivered = Math.max(delivered, message.body);
    } catch {
      // It is read again.
    }
  }

  /** Resolves once this message or a later one is in the inbox. One reading at a time serves all who wait. */
  async function untilDelivered(number: number, ended: () => boolean): Promise<void> {
    while (delivered < number && !ended()) {
      reading ??= readOn().finally(() => (reading = null));
      await reading;
      if (delivered < number) await pause(everyMs);
    }
  }

  async function untilWorking(until: 'accepted' | 'delivered', ended: () => boolean): Promise<number> {
    const began = performance.now();
    let tookMs: number | null = null;
    let open = 0;
    for (let turn = 0; tookMs === null && !ended(); turn += 1) {
      if (open < mostOpen) {
        open += 1;
        void send(cluster.direct[turn % cluster.direct.length]!).then(async (number) => {
          open -= 1;
          if (number === null) return;
          if (until === 'delivered') await untilDelivered(number, ended);
          tookMs ??= performance.now() - began;
        });
      }
      await pause(everyMs);
    }
    return tookMs ?? performance.now() - began;
  }

  let over = false;
  return {
    begin(until) {
      running.push(untilWorking(until, () => over));
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
