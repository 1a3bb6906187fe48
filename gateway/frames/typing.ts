import { notServed } from '../../shared/protocol/parse.ts';
import type { Features } from '../features.ts';
import type { Budgets } from '../limits/budgets.ts';
import type { Connection, Dispatch } from '../socket/connection.ts';
import type { Typing } from '../typing/typing.ts';
import { spenderOf } from './spender.ts';

/** `typing`: passes it on to the other members, or drops it. There is no answer but a refusal. */
export const createTypingFrame =
  (typing: Typing, features: Pick<Features, 'serves'>, budgets: Pick<Budgets, 'take'>): Dispatch['typing'] =>
  async (connection: Connection, { conversation, stop }): Promise<void> => {
    const spender = spenderOf(connection);
    budgets.take('frame', spender);
    if (!features.serves('typing')) throw notServed();
    await typing(spender.user, conversation, stop === true);
  };
