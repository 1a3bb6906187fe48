import type { LargeMessage } from '../../shared/redis/push-bus.ts';
import { SharedFrame } from '../session/shared-frame.ts';
import type { Connection } from '../socket/connection.ts';
import type { Registry } from '../socket/registry.ts';
import { flushTouched } from './flush-touched.ts';

/**
 * Hands messages of large groups to the sessions of their members. What one session throws ends its connection; the
 * others get theirs.
 */
export function createLargeGroupHandover(registry: Registry) {
  const touched = new Set<Connection>();

  /** `frame` is that of the message: many users share it. `flush` writes it. */
  function hand(user: string, message: LargeMessage, frame: SharedFrame): void {
    for (const connection of registry.of(user)) {
      if (user === message.sender && connection.session!.device === message.device) continue;
      try {
        connection.session!.deliverLarge(frame);
        touched.add(connection);
      } catch (thrown) {
        connection.faulted(thrown, 'push');
      }
    }
  }

  /** Writes everything that was handed over since the last flush. */
  const flush = (): void => flushTouched(touched);

  return {
    hand,
    flush,

    /** Hands over and writes what has waited for a user's seat. */
    handWaiting(user: string, messages: readonly LargeMessage[]): void {
      for (const message of messages) hand(user, message, new SharedFrame(message));
      flush();
    },
  };
}

export type LargeGroupHandover = ReturnType<typeof createLargeGroupHandover>;
