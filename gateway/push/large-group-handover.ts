import type { Span } from '../../shared/model/model.ts';
import { covers } from '../../shared/model/spans.ts';
import type { LargeMessage } from '../../shared/redis/push-bus.ts';
import { SharedFrame } from '../session/shared-frame.ts';
import type { Connection } from '../socket/connection.ts';
import type { Registry } from '../socket/registry.ts';
import { flushTouched } from './flush-touched.ts';

/**
 * The frame of a message for a member with these spans. All members share one; of an amendment, those who see the
 * amended message share another.
 */
export function framesOf(message: LargeMessage): (spans: readonly Span[]) => SharedFrame {
  const frame = new SharedFrame(message);
  const { amends } = message;
  if (amends === undefined) return () => frame;
  const whole = new SharedFrame({ ...message, text: amends.text });
  return (spans) => (spans.some((span) => covers(span, amends.target)) ? whole : frame);
}

/**
 * Hands messages of large groups to the sessions of their members. What one session throws ends its connection; the
 * others get theirs.
 */
export function createLargeGroupHandover(registry: Registry) {
  const touched = new Set<Connection>();

  /** `frame` is one of the message's: many users share it. `flush` writes it. */
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
    handWaiting(user: string, spans: readonly Span[], messages: readonly LargeMessage[]): void {
      for (const message of messages) hand(user, message, framesOf(message)(spans));
      flush();
    },
  };
}

export type LargeGroupHandover = ReturnType<typeof createLargeGroupHandover>;
