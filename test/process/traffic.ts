import { setTimeout as pause } from 'node:timers/promises';
import type { Gap } from '../../sdk/src/wire.ts';
import { directConversation } from '../../shared/model/ids.ts';
import type { Cluster } from '../../tools/harness/local-cluster.ts';
import { connectDevice, type Device } from '../../tools/rehearsal/device/device.ts';
import { readMissing } from '../../tools/rehearsal/device/gap-reading.ts';

/** Pairs of users who write to each other without a pause, and a reckoning of who got what. */

type Got = { conversation: string; seq: number; id: string };
type Person = {
  user: string;
  peer: string;
  device: Device;
  got: Got[];
  /** All seqs that came as items, and the ids of those that were read from history for a gap. */
  arrived: Set<number>;
  filled: Map<number, string>;
  reading: Promise<void>;
  violations: string[];
};

export type Verdict = {
  accepted: number;
  lost: string[];
  duplicated: string[];
  reordered: string[];
  differing: string[];
  missingInHistory: string[];
  /** Announced as a gap and never an item: not lost, but these inboxes have room for everything. */
  onlyInHistory: string[];
};

/** What a clean run must show beside the number accepted. */
export const clean = {
  lost: [],
  duplicated: [],
  reordered: [],
  differing: [],
  missingInHistory: [],
  onlyInHistory: [],
};

export type TrafficOptions = {
  /** Which gateway the next attempt of a device goes to, as a load balancer would say; the first without it. */
  url?: () => string;
  /** A connection ended with this code. */
  ended?: (code: number) => void;
  /** How long a writer rests after each answer (ms). */
  restMs?: number;
};

const fill = ({ device, filled }: Person, { conversation, ...range }: Gap): Promise<void> =>
  readMissing(range, {
    has: (seq) => device.has(conversation, seq),
    read: ({ fromSeq, toSeq }) => device.history({ conversation, after: fromSeq - 1, limit: toSeq - fromSeq + 1 }),
    take: ({ seq, id }) => void filled.set(seq, id),
  });

export async function startTraffic(
  cluster: Cluster,
  pairs: number,
  { url = () => cluster.url, ended, restMs = 0 }: TrafficOptions = {},
) {
  const people: Person[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    for (const [user, peer] of [
      [`a${pair}`, `b${pair}`],
      [`b${pair}`, `a${pair}`],
    ] as const) {
      const person: Person = {
        user,
        peer,
        got: [],
        arrived: new Set(),
        filled: new Map(),
        reading: Promise.resolve(),
        violations: [],
      } as unknown as Person;
      person.device = connectDevice({
        url,
        token: () => cluster.token(user),
        device: 'phone',
        reconnect: { minMs: 50, maxMs: 400 },
        requestTimeoutMs: 4000,
        events: {
          status: ({ code }) => void (code !== undefined && ended?.(code)),
          item({ message }, fresh) {
            person.arrived.add(message.seq);
            if (fresh) person.got.push({ conversation: message.conversation, seq: message.seq, id: message.id });
          },
          gap(gap) {
            person.reading = person.reading
              .then(() => fill(person, gap))
              .catch(
                (error: Error) =>
                  void person.violations.push(`the gap ${JSON.stringify(gap)} could not be read: ${error.message}`),
              );
          },
          violation: (violation) => person.violations.push(JSON.stringify(violation)),
        },
      });
      people.push(person);
    }
  }
  /** The id accepted under each seq of each conversation. */
  const accepted = new Map<string, Map<number, { id: string; sender: string }>>();
  let acceptedCount = 0;
  let writing = true;
  let tell: (() => void)[] = [];

  async function write(person: Person): Promise<void> {
    for (let number = 0; writing; number++) {
      const { message } = await person.device.send({
        to: person.peer,
        kind: 'text',
        body: { number, from: person.user },
      });
      const conversation = directConversation(person.user, person.peer);
      let seqs = accepted.get(conversation);
      if (seqs === undefined) accepted.set(conversation, (seqs = new Map()));
      const before = seqs.get(message.seq);
      if (before !== undefined)
        person.violations.push(`seq ${message.seq} of ${conversation} accepted twice: ${before.id}, ${message.id}`);
      seqs.set(message.seq, { id: message.id, sender: person.user });
      acceptedCount += 1;
      for (const one of tell) one();
      if (restMs > 0) await pause(restMs);
    }
  }
  const writers = people.map(write);

  const complete = (person: Person): boolean => {
    const conversation = directConversation(person.user, person.peer);
    const mine = new Set(person.got.map(({ seq }) => seq));
    for (const [seq, { sender }] of accepted.get(conversation) ?? [])
      if (sender !== person.user && !mine.has(seq) && !person.filled.has(seq)) return false;
    return true;
  };

  async function historyOf(person: Person): Promise<Got[]> {
    const conversation = directConversation(person.user, person.peer);
    const all: Got[] = [];
    for (let after = 0; ;) {
      const page = await person.device.history({ conversation, after, limit: 100 });
      for (const { seq, id } of page.messages) all.push({ conversation, seq, id });
      if (!page.more) return all;
      after = page.messages.at(-1)!.seq;
    }
  }

  return {
    get accepted(): number {
      return acceptedCount;
    },

    /** Resolves once so many more messages are accepted: the fault falls into running traffic. */
    async more(messages: number): Promise<void> {
      const goal = acceptedCount + messages;
      await new Promise<void>((resolve) => {
        const look = () => {
          if (acceptedCount < goal) return;
          tell = tell.filter((one) => one !== look);
          resolve();
        };
        tell.push(look);
        look();
      });
    },

    /** Stops writing, waits until every device has everything (or the time is up) and says what is wrong. */
    async end(withinMs = 30_000): Promise<Verdict> {
      writing = false;
      await Promise.all(writers);
      const deadline = Date.now() + withinMs;
      while (!people.every(complete) && Date.now() < deadline) await pause(50);
      const verdict: Verdict = { accepted: acceptedCount, ...structuredClone(clean) };
      for (const person of people) {
        const seen = new Set<number>();
        let highest = 0;
        for (const { seq } of person.got) {
          if (seen.has(seq)) verdict.duplicated.push(`${person.user}: ${seq}`);
          if (seq < highest) verdict.reordered.push(`${person.user}: ${seq} after ${highest}`);
          seen.add(seq);
          highest = Math.max(highest, seq);
        }
        verdict.reordered.push(...person.violations.map((violation) => `${person.user}: ${violation}`));
        const seqs = accepted.get(directConversation(person.user, person.peer)) ?? new Map();
        for (const [seq, { id, sender }] of seqs) {
          const got = person.got.find((one) => one.seq === seq)?.id ?? person.filled.get(seq);
          if (got !== undefined && got !== id)
            verdict.differing.push(`${person.user}: ${seq} is ${got}, accepted ${id}`);
          if (got === undefined && sender !== person.user) verdict.lost.push(`${person.user}: ${seq}`);
          if (person.filled.has(seq) && !person.arrived.has(seq)) verdict.onlyInHistory.push(`${person.user}: ${seq}`);
        }
        const history = new Map((await historyOf(person)).map(({ seq, id }) => [seq, id]));
        for (const [seq, { id }] of seqs) {
          if (history.get(seq) !== id)
            verdict.missingInHistory.push(`${person.user}: ${seq} is ${history.get(seq)}, accepted ${id}`);
        }
      }
      for (const { device } of people) device.close();
      return verdict;
    },
  };
}

export type Traffic = Awaited<ReturnType<typeof startTraffic>>;
