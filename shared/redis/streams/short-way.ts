import type { Keys } from '../keys.ts';
import type { NotifyAfter } from '../notify-after.ts';
import type { Send } from './sends.ts';

/** Tails of messages (message-text.ts) that are longer go the long way: Redis serves nobody meanwhile. */
const longestTail = 4096;

/**
 * The part of a gateway in the short way of direct messages (docs/design/short-way.md): which sends may go there. The
 * script decides for each of them (short-way.include.lua).
 */
export function createShortWay(
  keys: Keys,
  options: {
    /** Asked at each call. */
    isOn: () => boolean;
    inboxMaxEntries: number;
    /** Until it is known, all sends go the long way: who appends notes who has to be notified. */
    notifyAfter: Pick<NotifyAfter, 'ms'>;
  },
  tell: {
    /** Before a call from which messages may go the short way. */
    sending: () => void;
    /** How many of the messages that a call has accepted went which way. */
    accepted: (way: 'short' | 'long', messages: number) => void;
  },
) {
  const { isOn, inboxMaxEntries, notifyAfter } = options;
  return {
    /** What a call says about it; '' if all of its sends go the long way. */
    begin(partition: number): string {
      if (!isOn() || notifyAfter.ms === null) return '';
      tell.sending();
      return `${partition} ${inboxMaxEntries} ${notifyAfter.ms} ${keys.pushBase}`;
    },

    /** What stands behind the right of a send that may go the short way; '' if it may not. */
    shardsOf({ right, users, tail }: Pick<Send, 'right' | 'users' | 'tail'>): string {
      if (right !== 'direct' || tail.length > longestTail) return '';
      const comma = users.indexOf(',');
      const [one, other] = [users.slice(0, comma), users.slice(comma + 1)];
      // A conversation with oneself has one inbox.
      return one === other ? '' : ` ${keys.shardBase(one)} ${keys.shardBase(other)}`;
    },

    /** `short`: how many of the accepted messages of a call went the short way. */
    ended(accepted: number, short: number): void {
      if (short > 0) tell.accepted('short', short);
      if (accepted > short) tell.accepted('long', accepted - short);
    },
  };
}

export type ShortWay = ReturnType<typeof createShortWay>;
