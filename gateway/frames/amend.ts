import { Refusal } from '../../shared/model/errors.ts';
import { amendedFrame } from '../../shared/protocol/frame-text.ts';
import type { Amending } from '../sends/amending.ts';
import type { Levels } from '../sends/levels.ts';
import type { Connection, FrameOf, Later } from '../socket/connection.ts';

/** `amend`: has a message recalled or edited, and answers `amended`, once its level is reached. */
export const createAmend =
  (amending: Amending, levels: Pick<Levels, 'asked' | 'begin'>) =>
  async ({ session, service }: Connection, frame: FrameOf<'amend'>): Promise<string | Later> => {
    const { user, device } = session!;
    const level = levels.asked(frame.level);
    const amended = await amending({ user, service: false, unlimited: service, device }, frame, level);
    if (level === 'accepted') return amendedFrame(frame.id, amended, level);
    return (end) =>
      levels.begin(amended.accepted, level, (reached) =>
        end(reached instanceof Refusal ? reached : amendedFrame(frame.id, amended, reached)),
      );
  };
