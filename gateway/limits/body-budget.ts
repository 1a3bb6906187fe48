import { Refusal, retryLater } from '../../shared/model/errors.ts';
import type { Spender } from './budgets.ts';

const mebibyte = 2 ** 20;
/** Bytes of one user, and of all together. */
const standard = { ofUser: mebibyte, inAll: 64 * mebibyte };
const retryAfterMs = 1000;

/** The bytes that one request takes from the budget. */
export type BodyHold = {
  /**
   * Must be called before the bytes are read. Throws `rate_limited` if the user would hold too many bytes, and
   * `retry_later` if the gateway would.
   */
  add(bytes: number): void;
  /** The request is answered: its bytes are given back. */
  end(): void;
};

/**
 * Limits the bytes of request bodies that a gateway holds at once, per user and in all. A body counts from before it is
 * read until its request is answered. A back end has only the limit of all. One body of the largest size always fits.
 */
export function createBodyBudget(largest: number, { ofUser: mostOfUser, inAll: mostInAll } = standard) {
  const most = { ofUser: Math.max(mostOfUser, largest), inAll: Math.max(mostInAll, largest) };
  const byUser = new Map<string, number>();
  let all = 0;

  return {
    hold({ user, service }: Spender): BodyHold {
      let held = 0;
      let ended = false;
      return {
        add(bytes) {
          if (ended) throw new Refusal('bad_request', 'the request is answered');
          const ofUser = (byUser.get(user) ?? 0) + bytes;
          if (!service && ofUser > most.ofUser)
            throw new Refusal('rate_limited', 'too many request bodies at once', { retryAfterMs });
          if (all + bytes > most.inAll) throw retryLater('too many request bodies at once');
          if (!service) byUser.set(user, ofUser);
          all += bytes;
          held += bytes;
        },
        end() {
          ended = true;
          all -= held;
          if (!service && held > 0) {
            const left = byUser.get(user)! - held;
            if (left > 0) byUser.set(user, left);
            else byUser.delete(user);
          }
          held = 0;
        },
      };
    },
    get bytes(): number {
      return all;
    },
    get users(): number {
      return byUser.size;
    },
  };
}

export type BodyBudget = ReturnType<typeof createBodyBudget>;
