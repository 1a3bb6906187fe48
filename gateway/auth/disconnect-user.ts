import { setTimeout as pause } from 'node:timers/promises';
import { notFound } from '../../shared/model/errors.ts';
import { closeCodes } from '../../shared/protocol/close-codes.ts';
import type { Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import type { Revocations } from '../../shared/redis/inboxes/revocations.ts';
import { wallMs } from '../../shared/timing/clocks.ts';

/** Asks a gateway to close one session of a user. */
type Close = (gateway: string, user: string, session: string, code: number, why: string) => void;

/**
 * Tokens carry the second in which they were issued. A revocation therefore refuses tokens up to the end of the present
 * second, and the call resolves when that second is over. So every token issued before the call is refused, and every
 * token issued after the call has resolved is good.
 */
const endOfSecond = (): number => Math.floor(wallMs() / 1000) + 1;
/** Waits for at most a second: the clock may be set back meanwhile. */
const until = (second: number): Promise<void> => pause(Math.min(1000, Math.max(0, second * 1000 - wallMs())));

/** Closes every connection of a user with 4403, and refuses the tokens that were issued to it before now. */
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
 * Forgets a device and closes its connection with 4403. Tokens issued before now are refused for this device: a token
 * that is bound to it everywhere, any other when it says hello as this device. Rejects with `not_found` if the user has
 * no such device.
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
