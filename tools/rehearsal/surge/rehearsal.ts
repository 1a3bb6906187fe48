import { setTimeout as pause } from 'node:timers/promises';
import { joinTexts } from '../../../shared/history/block.ts';
import { blockFormats, type HistoryStore } from '../../../shared/history/store.ts';
import type { Cluster } from '../../harness/local-cluster.ts';
import { signToken } from '../../harness/sign-token.ts';
import { during, type Progress } from '../../progress/progress.mjs';
import { connectDevice } from '../device/device.ts';
import { openHttp } from '../http.ts';

const people = 32;
const samples = 12;

/** One part of a rehearsal: a number of messages at a fixed rate. Latencies in ms. */
export type Phase = {
  name: 'calm' | 'spike';
  messages: number;
  perS: number;
  storeCallsPerMessage: number;
  acceptP50Ms: number;
  acceptP99Ms: number;
};

export type Rehearsal = {
  phases: Phase[];
  /** The surge states that partitions went through, in order. */
  states: string[];
  /** Store calls for each message written while its partition was packing; null if there was none. */
  packingCallsPerMessage: number | null;
  bytesPerMessage: { plain: number; packed: number };
  accepted: number;
  /** Accepted messages that are not in history. */
  lost: number;
};

/** For one pace, or for both. */
type Counters = { calls: number; messages: number };

const quantile = (sorted: number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

/** The archive's counters so far. */
async function countersOf(cluster: Cluster, pace = ''): Promise<Counters> {
  const text = await (await fetch(`http://127.0.0.1:${cluster.port('archive-1')}/metrics`)).text();
  const sum = (name: string): number =>
    text
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) && line.includes(`pace="${pace}`))
      .reduce((all, line) => all + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  return { calls: sum('restante_store_calls_total'), messages: sum('restante_store_messages_total') };
}

const blocksInPage = 50;

/** Bytes for each message in the store, by the format of its block. */
async function bytesOf(history: HistoryStore, conversations: Iterable<string>): Promise<Rehearsal['bytesPerMessage']> {
  const sums = new Map<number, { bytes: number; messages: number }>();
  for (const conversation of conversations) {
    for (let fromSeq = 1; ;) {
      const page = await history.blocks(conversation, fromSeq, Number.MAX_SAFE_INTEGER, 'oldest', blocksInPage);
      for (const block of page) {
        const sum = sums.get(block.format) ?? { bytes: 0, messages: 0 };
        sums.set(block.format, {
          bytes: sum.bytes + Buffer.byteLength(joinTexts(block)),
          messages: sum.messages + block.texts.length,
        });
      }
      if (page.length < blocksInPage) break;
      fromSeq = page.at(-1)!.lastSeq + 1;
    }
  }
  const of = (format: number): number => (sums.get(format)?.bytes ?? 0) / Math.max(1, sums.get(format)?.messages ?? 0);
  return { plain: of(blockFormats.plain), packed: of(blockFormats.packed) };
}

/**
 * Sends the lines of a log in direct conversations: first at the usual rate, then at `factor` times it. At the end
 * every accepted message is looked up in history. `history` is the cluster's.
 */
export async function rehearse(
  cluster: Cluster,
  history: HistoryStore,
  lines: string[],
  options: {
    perS: number;
    factor: number;
    calmS: number;
    spikeS: number;
    say(text: string): void;
    doing: Progress['doing'];
    signal: AbortSignal;
  },
): Promise<Rehearsal> {
  const { perS, factor, calmS, spikeS, say, doing, signal } = options;
  const users = Array.from({ length: people }, (_, i) => `person-${i}`);
  const devices = users.map((user) =>
    connectDevice({ url: cluster.url, token: () => cluster.token(user), device: 'desk', mode: 'pull' }),
  );
  const accepted = new Map<string, Map<string, number>>();
  const states: string[] = [];
  let next = 0;

  const surges = async (): Promise<{ partition: number; state: string; rate: number }[]> => {
    const response = await fetch(`${cluster.url.replace(/^ws/, 'http')}/admin/api/surge`, {
      headers: { authorization: `Bearer ${cluster.adminToken}` },
    });
    return ((await response.json()) as { partitions: { partition: number; state: string; rate: number }[] }).partitions;
  };

  async function speak(latencies: number[]): Promise<void> {
    const from = next % people;
    const body = lines[next++ % lines.length]!;
    const began = performance.now();
    const { message } = await devices[from]!.send({ to: users[(from + 1) % people]!, kind: 'text', body });
    latencies.push(performance.now() - began);
    const ids = accepted.get(message.conversation) ?? new Map<string, number>();
    ids.set(message.id, from);
    accepted.set(message.conversation, ids);
  }

  async function phase(name: Phase['name'], rate: number, seconds: number): Promise<Phase> {
    const before = await countersOf(cluster);
    doing(during(seconds * 1000, `${name}: ${rate} messages a second`));
    const latencies: number[] = [];
    const saying: Promise<void>[] = [];
    const began = performance.now();
    let looked = 0;
    while (!signal.aborted && performance.now() - began < seconds * 1000) {
      const due = ((performance.now() - began) / 1000) * rate;
      while (saying.length < due) saying.push(speak(latencies));
      if (performance.now() - looked > 1000) {
        looked = performance.now();
        const all = await surges();
        for (const { partition, state } of all) {
          const word = `partition ${partition} ${state}`;
          if (!states.includes(word) && state !== 'calm') {
            states.push(word);
            say(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${word}`);
          }
        }
      }
      await pause(1000 / samples);
    }
    doing(`${name}: waiting for answers`);
    await Promise.all(saying);
    latencies.sort((one, other) => one - other);
    const after = await countersOf(cluster);
    return {
      name,
      messages: saying.length,
      perS: Math.round(saying.length / seconds),
      storeCallsPerMessage: (after.calls - before.calls) / Math.max(1, after.messages - before.messages),
      acceptP50Ms: quantile(latencies, 0.5),
      acceptP99Ms: quantile(latencies, 0.99),
    };
  }

  /** Reads every conversation to its end, as one of its two users. */
  async function countLost(): Promise<number> {
    let lost = 0;
    let read = 0;
    const total = accepted.size;
    doing(() => ({ done: read, total, text: `${read} of ${total} conversations read back` }));
    for (const [conversation, ids] of accepted) {
      const missing = new Set(ids.keys());
      const reader = openHttp(
        cluster.url.replace(/^ws/, 'http'),
        signToken(cluster.secret, { user: users[ids.values().next().value!]!, ttlSeconds: 600 }),
      );
      for (let after = 0; ;) {
        const page = await reader.history(conversation, { after, limit: 100 });
        for (const { id } of page.messages) missing.delete(id);
        if (!page.more || page.messages.length === 0) break;
        after = page.messages.at(-1)!.seq;
      }
      lost += missing.size;
      read++;
    }
    return lost;
  }

  try {
    say(`${perS} messages a second for ${calmS} s`);
    const calm = await phase('calm', perS, calmS);
    say(`${perS * factor} messages a second for ${spikeS} s`);
    const spike = await phase('spike', perS * factor, spikeS);
    const lost = await countLost();
    const packing = await countersOf(cluster, 'packing');
    return {
      phases: [calm, spike],
      states,
      packingCallsPerMessage: packing.messages === 0 ? null : packing.calls / packing.messages,
      bytesPerMessage: await bytesOf(history, accepted.keys()),
      accepted: [...accepted.values()].reduce((sum, ids) => sum + ids.size, 0),
      lost,
    };
  } finally {
    for (const device of devices) device.close();
  }
}
