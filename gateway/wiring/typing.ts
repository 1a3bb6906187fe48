import { sweepBudgets } from '../limits/sweep.ts';
import { createTypingGate } from '../typing/typing-gate.ts';
import { createTyping } from '../typing/typing.ts';
import type { GatewayContext } from './context.ts';
import type { Sessions } from './sessions.ts';
import type { Stores } from './stores.ts';

/** Passing on who types. */
export function createTypingParts(
  { config, lifecycle, metrics, faults, keys }: GatewayContext,
  { conversations }: Stores,
  { hints }: Pick<Sessions, 'hints'>,
) {
  const gate = createTypingGate();
  lifecycle.opened('typing sweep', sweepBudgets(faults, gate).stop);
  return createTyping({
    conversations,
    partitionOf: keys.partitionOf,
    hints,
    gate,
    mostMembers: config.TYPING_MAX_MEMBERS,
    metrics,
  });
}
