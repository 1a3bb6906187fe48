import { setTimeout as pause } from 'node:timers/promises';
import { closeCodes } from '../shared/protocol/close-codes.ts';
import type { Revocations } from '../shared/redis/revocations.ts';
import { type Authenticate, refused } from './auth.ts';

/**
 * Closes every connection of a user with 4403, and refuses its tokens that were issued before now. Tokens tell the second they were
 * issued in: so the moment is the end of the present second, and this resolves when that has come. Every token from before the call is
 * refused, every one that is issued after it has resolved is good.
 */
export function createDisconnect(
  revocations: Pick<Revocations, 'revoke'>,
  close: (gateway: string, user: string, session: string, code: number, why: string) => void,
) {
  return async (user: string): Promise<void> => {
    const moment = Math.floor(Date.now() / 1000) + 1;
    for (const { gateway, session } of await revocations.revoke(user, moment)) {
      close(gateway, user, session, closeCodes.forbidden, 'disconnected by the back end');
    }
    await pause(Math.max(0, moment * 1000 - Date.now()));
  };
}

export type Disconnect = ReturnType<typeof createDisconnect>;

/** Authenticates, and refuses a token that was revoked; a back end's token never is. Hello does without: its script looks itself. */
export const createAdmission =
  (authenticate: Authenticate, revocations: Pick<Revocations, 'refusedBefore'>): Authenticate =>
  async (token) => {
    const principal = await authenticate(token);
    if (!principal.service && principal.issuedAt < (await revocations.refusedBefore(principal.user))) throw refused();
    return principal;
  };
