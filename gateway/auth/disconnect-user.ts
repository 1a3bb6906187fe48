import { setTimeout as pause } from 'node:timers/promises';
import { notFound } from '../../shared/model/errors.ts';
import { closeCodes } from '../../shared/protocol/close-codes.ts';
import type { Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import type { Revocations } from '../../shared/redis/inboxes/revocations.ts';
import { wallMs } from '../../shared/timing/clocks.ts';
import { type Authenticate, type Principal, refused } from './authenticate.ts';

type Close = (gateway: string, user: string, session: string, code: number, why: string) => void;

/**
 * Tokens tell the second they were issued in. So what is revoked now is refused up to the end of the present second,
 * and whoever revokes resolves when that has come: every token from before the call is refused, every one that is
 * issued after it has resolved is good.
 */
const endOfSecond = (): number => Math.floor(wallMs() / 1000) + 1;
/** Never longer than a second: the clock may be set back meanwhile. */
const until = (second: number): Promise<void> => pause(Math.min(1000, Math.max(0, second * 1000 - wallMs())));

/** Closes every connection of a user with 4403, and refuses its tokens that were issued before now. */
export function createDisconnect(revocations: Pick<Revocations, 'revoke'>, close: Close) {
  return async (user: string): Promise<void> => {
    const moment = endOfSecond();
    for (const { gateway, session } of await revocations.revoke(user, moment)) {
      close(gateway, user, session, closeCodes.forbidden, 'disconnected by the back end');
    }
    await until(moment);
  };
}

export type Disconnect = ReturnType<typeof createDisconnect>;

/**
 * Forgets a device and closes its connection with 4403. Tokens that were issued before now are refused for it: those
 * that are bound to it everywhere, the others when they say hello as this device. Rejects with `not_found` if the user
 * has no such device.
 */
export function createRemoveDevice(inboxes: Pick<Inboxes, 'forget'>, close: Close) {
  return async (user: string, device: string): Promise<void> => {
    const moment = endOfSecond();
    const found = await inboxes.forget(user, device, moment);
    if (found === null) throw notFound('no such device');
    if (found !== 'offline') close(found.gateway, user, found.session, closeCodes.forbidden, 'the device was removed');
    await until(moment);
  };
}

export type RemoveDevice = ReturnType<typeof createRemoveDevice>;

/** As Authenticate. `device`: as which the token is used, if it is not bound to one itself. */
export type Admit = (token: string, device?: string) => Promise<Principal>;

/**
 * Authenticates, and refuses a token that was revoked; a back end's token never is. Hello does without: its script
 * looks itself.
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
