import type { Metrics } from '../../shared/process/metrics.ts';
import { typingFrame } from '../../shared/protocol/frame-text.ts';
import type { Conversations } from '../../shared/redis/conversations/conversations.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import type { Hints } from '../push/hints.ts';
import type { TypingGate } from './typing-gate.ts';

/** Entries of a partition that fanout has not settled, above which nothing is passed on in its conversations. */
const mostUnsettled = 500;
/** How long nothing more is asked of a partition that was behind (ms). */
const restMs = 1000;

/**
 * Passes on that a user types, to the connected devices of the other members. Nothing of it is stored or repeated, and
 * it is dropped before anything else: when it comes too often, and while messages wait.
 */
export function createTyping(parts: {
  conversations: Pick<Conversations, 'toldOfTyping'>;
  partitionOf: (conversation: string) => number;
  hints: Pick<Hints, 'tell'>;
  gate: TypingGate;
  mostMembers: number;
  metrics: Pick<Metrics, 'typing'>;
}) {
  const { conversations, partitionOf, hints, gate, mostMembers, metrics } = parts;
  /** Until when partitions are left alone, since messages of theirs wait. */
  const restsUntil = new Map<number, number>();

  /** Rejects with `not_found` if the user is not a current member, or `retry_later`. */
  return async (user: string, conversation: string, ends: boolean): Promise<void> => {
    const partition = partitionOf(conversation);
    if ((restsUntil.get(partition) ?? 0) > monotonicMs()) return metrics.typing.inc({ result: 'busy' });
    const passes = gate.take(user, conversation, ends);
    if (passes !== 'passed') return metrics.typing.inc({ result: passes });
    const told = await conversations.toldOfTyping(conversation, user, { most: mostMembers, mostUnsettled });
    if (told === 'busy') restsUntil.set(partition, monotonicMs() + restMs);
    if (typeof told === 'string') return metrics.typing.inc({ result: told });
    metrics.typing.inc({ result: 'passed' });
    hints.tell(told, typingFrame(conversation, user, ends));
  };
}

export type Typing = ReturnType<typeof createTyping>;
