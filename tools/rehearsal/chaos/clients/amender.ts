import { createClientIds } from '../../../../sdk/src/outbox/client-ids.ts';
import type { Random } from '../../irc/random.ts';
import type { Level } from '../recording.ts';
import type { Outbox } from './outbox.ts';
import type { Sent } from './sender.ts';

/**
 * Second thoughts of one user: some of its own messages are edited or recalled, soon or a while after they were
 * accepted, some of them several times. A body says by its words that it is the newest, so an older one is found.
 */
export type AmenderParts = {
  user: string;
  outbox: Pick<Outbox, 'add'>;
  random: Random;
  level: Level;
};

/** The share of messages that are amended, and of amendments that are amended once more. */
const share = 0.12;
const againShare = 0.3;
const recallShare = 0.4;
const mostDelayMs = 1500;

type Amended = { conversation: string; amendSeq: number; at: number };

export function createAmender({ user, outbox, random, level }: AmenderParts) {
  const newClientId = createClientIds(Date.now);
  const timers = new Set<NodeJS.Timeout>();
  let stopped = false;
  let edits = 0;

  function amend({ conversation, seq }: Sent): void {
    const action = random.chance(recallShare) ? 'recall' : 'edit';
    const amendment = {
      action,
      ...(action === 'edit' ? { body: { text: `second thought ${++edits} of ${user}` } } : {}),
      clientId: newClientId(),
      ...(level === 'accepted' ? {} : { level }),
    };
    const path = `/conversations/${conversation}/messages/${seq}/amend`;
    outbox.add({
      frame: { type: 'amend', conversation, seq, ...amendment },
      request: (asService) =>
        asService ? { user: null, path, body: { ...amendment, sender: user } } : { user, path, body: amendment },
      done: (answer) => (answer['amendSeq'] === undefined ? null : (answer as unknown as Amended)),
      answered(answer, askedBy) {
        const { amendSeq } = answer as unknown as Amended;
        for (const device of askedBy) device.coverage.addOwn(conversation, amendSeq);
        if (random.chance(againShare)) later({ conversation, seq });
      },
    });
  }

  function later(sent: Sent): void {
    if (stopped) return;
    const timer = setTimeout(
      () => {
        timers.delete(timer);
        amend(sent);
      },
      random.between(0, mostDelayMs),
    );
    timers.add(timer);
  }

  return {
    /** May amend a message that was accepted. */
    consider(sent: Sent): void {
      if (random.chance(share)) later(sent);
    },
    /** No more second thoughts. */
    stop(): void {
      stopped = true;
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
    },
  };
}

export type Amender = ReturnType<typeof createAmender>;
