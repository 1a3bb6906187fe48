import { pageItems } from '../../shared/model/limits.ts';
import { pageFrame } from '../../shared/protocol/frame-text.ts';
import type { InboxPages } from '../reads/inbox-pages.ts';
import type { ReceivedPositions } from '../session/received-positions.ts';
import type { Connection, FrameOf } from '../socket/connection.ts';

/**
 * `sync`: answers the page of the inbox after a position. The frame also confirms everything up to that position. A
 * `lazy` device stores its position only here, a device of another mode with `received`.
 */
export const createSync =
  (inboxPage: InboxPages, receivedPositions: Pick<ReceivedPositions, 'advance'>) =>
  async (connection: Connection, { id, after, limit, epoch }: FrameOf<'sync'>): Promise<string> => {
    const session = connection.session!;
    const page = await inboxPage(session.user, after, limit ?? pageItems, { epoch });
    await session.confirm(after);
    for (const { position, text, device } of page.items) if (device !== session.device) session.handed(position, text);
    if (session.mode === 'lazy') receivedPositions.advance(session, after);
    return pageFrame(id, page);
  };
