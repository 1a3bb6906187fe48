import type { Budgets } from '../limits/budgets.ts';
import type { Dispatch } from '../socket/connection.ts';
import { spenderOf } from './spender.ts';

/**
 * `received`: the device has everything up to a position, and may say how much it takes in a page from now on. No
 * answer.
 *
 * A frame that confirms something new costs nothing: there are at most as many of them as items were pushed. Any other
 * costs one of the budget `frame`.
 */
export const createReceived =
  (budgets: Pick<Budgets, 'take'>): Dispatch['received'] =>
  async (connection, { position, pageItems }) => {
    const session = connection.session!;
    if (position <= session.received) budgets.take('frame', spenderOf(connection));
    if (pageItems !== undefined) session.pace(pageItems);
    await session.confirm(position);
  };
