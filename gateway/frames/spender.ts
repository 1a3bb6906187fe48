import type { Spender } from '../limits/budgets.ts';
import type { Connection } from '../socket/connection.ts';

/** The user whose budgets a connection's frames are counted against. The connection must have said hello. */
export const spenderOf = ({ session, service }: Connection): Spender => ({ user: session!.user, service });
