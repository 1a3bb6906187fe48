import { readFrame } from '../../shared/protocol/frame-text.ts';
import { type MarkRead, unusedIsEmpty } from '../reads/read-marks.ts';
import type { Connection, FrameOf } from '../socket/connection.ts';
import { targetOf } from './target.ts';

/** `read`: moves the user's read seq forward, and answers the one that now holds. */
export const createRead =
  (markRead: MarkRead) =>
  async ({ session }: Connection, frame: FrameOf<'read'>): Promise<string> => {
    const { user, device } = session!;
    const conversation = targetOf(user, frame);
    const empty = unusedIsEmpty(frame.to !== undefined, 0);
    const seq = await markRead(user, conversation, frame.seq, device, session!.sendersOf(conversation)).catch(empty);
    return readFrame(frame.id, conversation, seq);
  };
