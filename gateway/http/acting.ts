import { badRequest, Refusal } from '../../shared/model/errors.ts';
import type { Principal } from '../auth/authenticate.ts';

/**
 * The user that a request is about. A user's token acts only for that user. A service token names a user with `?user=`,
 * or acts for none (null). Throws `forbidden` if a user's token names somebody else.
 */
export function actsAs({ user, service }: Principal, asked: string | undefined): string | null {
  if (service) return asked ?? null;
  if (asked !== undefined && asked !== user)
    throw new Refusal('forbidden', 'user: only a service token acts for somebody else');
  return user;
}

/** Like `actsAs`, but throws `bad_request` if a service token names no user. */
export function userOf(principal: Principal, asked: string | undefined): string {
  const user = actsAs(principal, asked);
  if (user === null) throw badRequest('user: a service token must say for whom it acts');
  return user;
}

/**
 * The author of a change to a conversation. A service token acts under its own name unless it names a user, and always
 * with the rights of a service.
 */
export const actorOf = (principal: Principal, asked: string | undefined): { user: string; service: boolean } => ({
  user: actsAs(principal, asked) ?? principal.user,
  service: principal.service,
});

/** Throws `forbidden` if the token is bound to another device. */
export function mustBeOwn(principal: Principal, device: string | undefined): void {
  if (principal.device !== null && device !== undefined && device !== principal.device) {
    throw new Refusal('forbidden', 'device: the token belongs to another device');
  }
}
