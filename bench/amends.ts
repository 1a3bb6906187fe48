/**
 * How long a lone amendment waits for its answer, beside a lone send: the first one of a message, for which the gateway
 * has to look the message up, and a second one, for which Redis knows everything.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { startCluster, type Server } from './cluster.ts';
import { connectUser } from './connect-user.ts';
import { median } from './median.ts';
import { textFrame } from './socket.ts';
import { withServer } from './with-server.ts';

const asked = ['send', 'look-up', 'known'] as const;
export type AmendRun = Record<(typeof asked)[number], number[]>;

const times = 60;
const warmUps = 10;
const mostPauseMs = 10;

async function measure(server: Server): Promise<AmendRun> {
  let heard: (text: string) => void = () => undefined;
  const lost = Promise.withResolvers<never>();
  lost.promise.catch(() => undefined);
  const connection = await connectUser({
    ...server,
    system: 'restante',
    user: 'editor',
    onTexts: (texts) => texts.forEach((text) => heard(text)),
    onLost: lost.reject,
  });
  const run: AmendRun = { send: [], 'look-up': [], known: [] };
  /** Resolves the answer of this type; an error fails the run. */
  const ask = async (what: (typeof asked)[number], frame: object, answer: string, counts: boolean): Promise<string> => {
    await pause(Math.random() * mostPauseMs);
    const began = performance.now();
    const answered = new Promise<string>((resolve, reject) => {
      heard = (text) => {
        if (text.startsWith(`{"type":"${answer}"`)) resolve(text);
        else if (text.startsWith('{"type":"error"')) reject(new Error(text));
      };
    });
    connection.write(textFrame(JSON.stringify(frame)));
    const text = await Promise.race([answered, lost.promise]);
    if (counts) run[what].push(performance.now() - began);
    return text;
  };
  try {
    for (let number = -warmUps; number < times; number += 1) {
      const counts = number >= 0;
      const send = {
        type: 'send',
        clientId: `m${number + warmUps}`,
        to: 'reader',
        kind: 'text',
        body: { text: 'one' },
      };
      const accepted = JSON.parse(await ask('send', send, 'accepted', counts)) as {
        message: { conversation: string; seq: number };
      };
      const { conversation, seq } = accepted.message;
      const edit = { type: 'amend', conversation, seq, action: 'edit' };
      await ask('look-up', { ...edit, body: { text: 'two' } }, 'amended', counts);
      await ask('known', { ...edit, body: { text: 'three' } }, 'amended', counts);
    }
  } finally {
    await connection.close();
  }
  return run;
}

/** One round on a fresh cluster. */
export async function runAmends(env: NodeJS.ProcessEnv): Promise<AmendRun> {
  let run: AmendRun | undefined;
  await withServer(startCluster({ env }), async (server) => void (run = await measure(server)));
  return run!;
}

export const amendRow = (round: number, run: AmendRun): string =>
  `${String(round).padStart(5)}  amends      p50 of ` +
  asked.map((what) => `${what} ${median(run[what]).toFixed(2)} ms`).join(', ');

const rounded = (value: number): number => Number(value.toFixed(3));

export function amendCases(runs: AmendRun[]) {
  return asked.map((what) => ({
    name: 'amends',
    system: what,
    delivered_per_s: null,
    p50_ms: rounded(median(runs.flatMap((run) => run[what]))),
    p99_ms: null,
    cpu_s_per_1k: null,
    lost: 0,
    duplicated: 0,
    answers: runs.reduce((sum, run) => sum + run[what].length, 0),
  }));
}

/** The p50 of amendments to that of sends, the median over the rounds. */
export function amendRatios(runs: AmendRun[]) {
  const ratio = (what: 'look-up' | 'known'): number | null =>
    runs.length === 0 ? null : rounded(median(runs.map((run) => median(run[what]) / median(run.send))));
  return { amend_known_to_send: ratio('known'), amend_lookup_to_send: ratio('look-up') };
}
