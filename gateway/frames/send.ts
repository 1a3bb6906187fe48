import { Refusal } from '../../shared/model/errors.ts';
import { acceptedFrame } from '../../shared/protocol/frame-text.ts';
import type { Levels } from '../sends/levels.ts';
import type { Sending } from '../sends/sending.ts';
import type { Dispatch } from '../socket/connection.ts';

/** `send`: has the message accepted, and answers `accepted`, once its level is reached. */
export const createSend =
  (sending: Sending, levels: Pick<Levels, 'asked' | 'begin'>): Dispatch['send'] =>
  async ({ session, service }, frame) => {
    const { user, device } = session!;
    const level = levels.asked(frame.level);
    const accepted = await sending({ user, service: false, unlimited: service, device }, frame, level);
    if (level === 'accepted') return acceptedFrame(frame.id, frame.clientId, accepted, level);
    return (end) =>
      levels.begin(accepted, level, (reached) =>
        end(reached instanceof Refusal ? reached : acceptedFrame(frame.id, frame.clientId, accepted, reached)),
      );
  };
