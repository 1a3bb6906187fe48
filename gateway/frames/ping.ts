import { pongFrame } from '../../shared/protocol/frame-text.ts';
import type { Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import { wallMs } from '../../shared/timing/clocks.ts';
import type { Connection, FrameOf } from '../socket/connection.ts';

/** `ping`: answers the head of the inbox, from which a client sees what it lacks, and the time. */
export const createPing =
  (inboxes: Pick<Inboxes, 'head'>) =>
  async ({ session }: Connection, { id }: FrameOf<'ping'>): Promise<string> => {
    const { user, epoch } = session!;
    return pongFrame(id, await inboxes.head(user), epoch, wallMs());
  };
