import type { Redis } from 'ioredis';
import { retryLater } from '../../shared/model/errors.ts';
import { orRetryLater } from '../../shared/redis/failures.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import type { Processes } from '../../shared/redis/processes.ts';
import { publishQuestion } from '../../shared/redis/search-bus.ts';
import type { SearchAnswer, SearchCall } from '../../shared/search/call.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';

/** A process has this long to answer before another one is asked (ms). */
const answerWithinMs = 2000;
/** Processes that one search waits for. Those that nobody hears take no time, and do not count. */
const mostAwaited = 3;
/** The list of processes is asked for at most this often (ms). */
const listEveryMs = 1000;
/** A process that did not answer is asked last for this long (ms). */
const avoidForMs = 10_000;
/** Questions of one gateway under way. */
const mostQuestions = 200;

/** Asks the processes of the line `search`: one, and another if it does not answer. */
export function createSearchQuestions(parts: {
  redis: Redis;
  keys: Keys;
  gateway: string;
  processes: Pick<Processes, 'list'>;
}) {
  const { redis, keys, gateway, processes } = parts;
  const underWay = new Map<string, (answer: SearchAnswer) => void>();
  const silentUntil = new Map<string, number>();
  let listed: { at: number; ids: Promise<string[]> } | null = null;
  let nextId = 1;

  function living(): Promise<string[]> {
    if (listed === null || monotonicMs() - listed.at > listEveryMs) {
      const ids = processes.list().then((all) => all.filter(({ role }) => role === 'search').map(({ id }) => id));
      ids.catch(() => (listed = null));
      listed = { at: monotonicMs(), ids };
    }
    return listed.ids;
  }

  /** In random order; those that did not answer lately come last. */
  async function candidates(): Promise<string[]> {
    const now = monotonicMs();
    for (const [id, until] of silentUntil) if (until <= now) silentUntil.delete(id);
    const order = (id: string): number => (silentUntil.has(id) ? 1 : 0) + Math.random() / 2;
    return (await living())
      .map((id) => ({ id, at: order(id) }))
      .sort((one, other) => one.at - other.at)
      .map(({ id }) => id);
  }

  async function askOne(process: string, text: string): Promise<SearchAnswer | 'gone' | 'silent'> {
    const id = String(nextId++);
    let timer: NodeJS.Timeout | undefined;
    const answered = new Promise<SearchAnswer | 'silent'>((resolve) => {
      underWay.set(id, resolve);
      timer = setTimeout(resolve, answerWithinMs, 'silent');
    });
    try {
      const heard = await orRetryLater(publishQuestion(redis, keys, process, { gateway, id, text }));
      return heard ? await answered : 'gone';
    } finally {
      clearTimeout(timer);
      underWay.delete(id);
    }
  }

  return {
    /** Rejects with `retry_later` if no process answers. */
    async ask(call: SearchCall): Promise<SearchAnswer> {
      if (underWay.size >= mostQuestions) throw retryLater('too many searches are under way');
      const text = JSON.stringify(call);
      const asked = new Set<string>();
      let awaited = 0;
      // The list may be of a moment ago: it is read again before this is given up.
      for (const isFresh of [false, true]) {
        if (isFresh) listed = null;
        for (const process of await candidates()) {
          if (asked.has(process) || awaited === mostAwaited) continue;
          asked.add(process);
          const answer = await askOne(process, text);
          if (answer !== 'gone') awaited += 1;
          if (typeof answer === 'string') silentUntil.set(process, monotonicMs() + avoidForMs);
          else if (answer.type !== 'failed') return answer;
        }
      }
      throw retryLater('no search process answers now');
    },

    /** Asks every process. Those that do not answer are left out. */
    async askAll(call: SearchCall): Promise<SearchAnswer[]> {
      const text = JSON.stringify(call);
      const answers = await Promise.all((await living()).map((process) => askOne(process, text)));
      return answers.filter((answer) => typeof answer !== 'string');
    },

    /** Payload `F` of the gateway's channel. */
    found(question: string, answer: string): void {
      underWay.get(question)?.(JSON.parse(answer) as SearchAnswer);
    },
  };
}

export type SearchQuestions = ReturnType<typeof createSearchQuestions>;
