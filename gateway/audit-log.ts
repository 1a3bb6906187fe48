import type { IncomingMessage } from 'node:http';
import type { Logger } from '../shared/process/log.ts';
import { monotonicMs } from '../shared/timing/clocks.ts';
import type { Principal } from './auth/authenticate.ts';
import type { AddressOf } from './limits/client-address.ts';

/** The part of a request's context in the app that is logged. */
type Asked = { req: { method: string; path: string }; env: { incoming?: IncomingMessage } };

/** Maximum lines a second about refusals; the next line counts those left out. Actions are always logged. */
const mostLines = 20;

/** Logs actions that need a right, done or refused: with the address, never with a token. */
export function createAuditLog(log: Logger, addressOf: AddressOf) {
  let second = 0;
  let said = 0;
  let unsaid = 0;

  /** How many lines were left out before this one; null if this one is left out too. */
  function due(): number | null {
    const now = Math.floor(monotonicMs() / 1000);
    if (now !== second) [second, said] = [now, 0];
    if (said >= mostLines) {
      unsaid += 1;
      return null;
    }
    said += 1;
    const also = unsaid;
    unsaid = 0;
    return also;
  }

  const addressIn = ({ env }: Asked): string => (env.incoming === undefined ? '' : addressOf(env.incoming));
  const askedBy = (asked: Asked) => ({ address: addressIn(asked), method: asked.req.method, path: asked.req.path });

  function refused(event: string, asked: Asked, fields: Record<string, unknown>): void {
    const also = due();
    if (also !== null) log.warn({ event, ...askedBy(asked), ...fields, also });
  }

  return {
    addressIn,

    /** An admin action, tried or done. `token` is the place of the admin token in the list, from 1. */
    admin: (asked: Asked, done: { status: number; token: number; [detail: string]: unknown }): void =>
      log.info({ event: 'admin_action', ...askedBy(asked), ...done }),

    /** A wrong admin token. */
    adminRefused: (asked: Asked, failures: number): void => refused('admin_refused', asked, { failures }),

    /** A valid token without the right, such as a user's token on a route for back ends. */
    forbidden: (asked: Asked, { user, device, service }: Principal, reason: string): void =>
      refused('forbidden', asked, { user, device, service, reason }),

    /** A back end has disconnected a user. */
    disconnected: (by: string, user: string): void => log.info({ event: 'user_disconnected', by, user }),
  };
}

export type AuditLog = ReturnType<typeof createAuditLog>;
