import { hash } from 'node:crypto';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { DeadLetters } from '../../shared/redis/dead-letters.ts';
import { wallMs } from '../../shared/timing/clocks.ts';
import type { SessionState } from './session-parts.ts';

/**
 * Writes a dead letter for items that were pushed repeatedly and never received: one for each device and position,
 * since the id is a hash of both. The inbox is untouched: the device gets everything when it comes back.
 */
export const createUndelivered =
  (deadLetters: Pick<DeadLetters, 'add'>, log: Logger) =>
  ({ user, device, epoch, received, sent }: SessionState, attempts: number): void => {
    const id = `delivery-${hash('sha256', [user, device, epoch, received].join('\n'), 'base64url')}`;
    deadLetters
      .add({
        id,
        reason: 'undelivered',
        at: wallMs(),
        attempts,
        error: 'pushed and not received',
        subject: { user, device, received, sent },
      })
      .catch((thrown: unknown) => log.warn({ event: 'dead_letter_failed', user, device, reason: reason(thrown) }));
  };
