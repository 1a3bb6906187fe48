import { historyFrame } from '../../shared/protocol/frame-text.ts';
import type { HistoryPages } from '../reads/history-pages.ts';
import { unusedIsEmpty } from '../reads/read-marks.ts';
import type { Connection, FrameOf } from '../socket/connection.ts';
import { targetOf } from './target.ts';

/** `history`: answers a page of a conversation; an empty page for a direct conversation before its first message. */
export const createHistory =
  (history: HistoryPages) =>
  async ({ session }: Connection, frame: FrameOf<'history'>): Promise<string> => {
    const { user } = session!;
    const conversation = targetOf(user, frame);
    const page = await history
      .page(conversation, user, frame)
      .catch(unusedIsEmpty(frame.to !== undefined, { conversation, messages: [], more: false, absent: [] }));
    return historyFrame(frame.id, page);
  };
