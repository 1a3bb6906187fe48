import { readFrame } from '../../shared/protocol/frame-text.ts';
import { unusedIsEmpty, type Views } from '../reads/conversation-views.ts';
import type { Connection, FrameOf } from '../socket/connection.ts';
import { targetOf } from './target.ts';

/** `read`: moves the user's read seq forward, and answers the one that now holds. */
export const createRead =
  (views: Pick<Views, 'read'>) =>
  async ({ session }: Connection, frame: FrameOf<'read'>): Promise<string> => {
    const { user } = session!;
    const conversation = targetOf(user, frame);
    const seq = await views.read(user, conversation, frame.seq).catch(unusedIsEmpty(frame.to !== undefined, 0));
    return readFrame(frame.id, conversation, seq);
  };
