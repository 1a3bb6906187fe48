import { readsFrame } from '../../shared/protocol/frame-text.ts';
import type { ReadStates } from '../reads/read-states.ts';
import type { Connection, FrameOf } from '../socket/connection.ts';

/** `reads`: answers how far the user has read conversations. */
export const createReads =
  (readStates: ReadStates) =>
  async ({ session }: Connection, { id, conversations }: FrameOf<'reads'>): Promise<string> =>
    readsFrame(id, await readStates(session!.user, conversations));
