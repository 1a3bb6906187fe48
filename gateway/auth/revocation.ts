import type { Revocations } from '../../shared/redis/inboxes/revocations.ts';
import { type Authenticate, type Principal, refused } from './authenticate.ts';

/** Like Authenticate. `device`: the device that uses the token, if the token itself is not bound to one. */
export type Admit = (token: string, device?: string) => Promise<Principal>;

/**
 * Authenticates a token, and refuses it if it was revoked. A service token is never revoked. `hello` does not need
 * this: its script looks for revocations itself.
 */
export const createAdmission =
  (authenticate: Authenticate, revocations: Pick<Revocations, 'refusedBefore'>): Admit =>
  async (token, device) => {
    const principal = await authenticate(token);
    if (principal.service) return principal;
    if (principal.issuedAt < (await revocations.refusedBefore(principal.user, principal.device ?? device ?? null)))
      throw refused();
    return principal;
  };
