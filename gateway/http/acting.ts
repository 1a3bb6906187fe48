import { badRequest, Refusal } from '../../shared/model/errors.ts';
import type { Principal } from '../auth/authenticate.ts';

/**
 * Whom a request is about: a user is only ever itself, a service token names somebody with `?user=` or is nobody
 * (null).
 */
export function actsAs({ user, service }: Principal, asked: string | undefined): string | null {
  if (service) return asked ?? null;
  if (asked !== undefined && asked !== user)
    throw new Refusal('forbidden', 'user: only a service token acts for somebody else');
  return user;
}

/** The same where there must be a user. */
export function userOf(principal: Principal, asked: string | undefined): string {
  const user = actsAs(principal, asked);
  if (user === null) throw badRequest('user: a service token must say for whom it acts');
  return user;
}

/**
 * Who changes a conversation: a service token by its own name unless it acts for a user, always with a service's
 * rights.
 */
export const actorOf = (principal: Principal, asked: string | undefined): { user: string; service: boolean } => ({
  user: actsAs(principal, asked) ?? principal.user,
  service: principal.service,
});

/** A token that is bound to a device speaks for no other. */
export function mustBeOwn(principal: Principal, device: string | undefined): void {
  if (principal.device !== null && device !== undefined && device !== principal.device) {
    throw new Refusal('forbidden', 'device: the token belongs to another device');
  }
}
