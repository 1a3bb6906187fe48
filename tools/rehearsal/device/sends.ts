import type { Link } from '../../../sdk/src/link/api.ts';
import { createClientIds } from '../../../sdk/src/outbox/client-ids.ts';
import { createOutbox } from '../../../sdk/src/outbox/outbox.ts';
import type { OutboxPace } from '../../../sdk/src/outbox/transmission.ts';
import { systemClock as clock } from '../../../sdk/src/platform/clock.ts';
import { memory } from '../../../sdk/src/storage/memory.ts';
import { createWriter } from '../../../sdk/src/storage/writer.ts';
import type { Accepted, MessageClass, Target } from '../../../sdk/src/wire.ts';

export type Draft = Target & { kind: string; body: unknown; class?: MessageClass };

/** What a rehearsed device wants to say: the outbox of the client, in memory. */
export type Sends = {
  /** Resolves when accepted, over any number of connections. Rejects with a final Refusal, or when it is discarded. */
  send(draft: Draft): Promise<Pick<Accepted, 'clientId' | 'message'>>;
  /** Messages without an answer. */
  readonly unsent: number;
  open(): void;
  pause(): void;
  /** After a loss on the server: what was accepted since then goes out again, before everything else. */
  repeatSince(lostSince: number): void;
  /** For good: rejects what waits. */
  discard(reason: Error): void;
};

export type SendsOptions = {
  link: Link;
  random: () => number;
  accepted(message: Accepted['message']): void;
  fault(error: Error, where: string): void;
};

const pace: OutboxPace = { lanes: 16, perLane: 8, retry: { minMs: 50, maxMs: 5000 }, holdLow: false };
const opened = { user: null, device: '', position: 0, epoch: null, term: 0 };
const noLimits = { maxBodyBytes: Number.MAX_SAFE_INTEGER, sendPerSecond: 0 };

export function createSends({ link, random, accepted, fault }: SendsOptions): Sends {
  const writer = createWriter({ storage: memory(), opened, clock, random, fault });
  const outbox = createOutbox({
    writer,
    persistent: () => false,
    clock,
    random,
    newClientId: createClientIds(() => link.now()),
    ask: (frame) => link.ask(frame),
    has: (feature) => link.welcome?.features.includes(feature) === true,
    limits: () => link.welcome?.limits ?? noLimits,
    pace: () => pace,
    isFocused: () => false,
    accepted(entry, _, also, stored) {
      accepted(entry.answer!);
      writer.change({ run: also, stored });
    },
    changed: () => {},
    keepAccepted: 1000,
    fault,
  });
  const waiting = new Set<(reason: Error) => void>();

  return {
    async send({ to, conversation, ...message }) {
      const where = to === undefined ? { lane: conversation } : { lane: to, to };
      const { clientId, accepted: answered } = outbox.add({ type: 'send', ...where, ...message });
      const { promise, resolve, reject } = Promise.withResolvers<Accepted['message']>();
      waiting.add(reject);
      answered.then(resolve, reject).finally(() => waiting.delete(reject));
      return { clientId, message: await promise };
    },
    get unsent() {
      return outbox.size;
    },
    open() {
      // What was lost with the server's state is put in front before anything goes out.
      void writer.flushed().then(() => {
        if (link.usable) outbox.open();
      });
    },
    pause: outbox.pause,
    repeatSince: (lostSince) => writer.change({ run: (transaction) => outbox.repeatSince(transaction, lostSince) }),
    discard(reason) {
      outbox.pause();
      for (const reject of waiting) reject(reason);
      waiting.clear();
    },
  };
}
