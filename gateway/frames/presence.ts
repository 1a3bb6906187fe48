import { presenceFrame } from '../../shared/protocol/frame-text.ts';
import type { PresenceQuestions } from '../presence/presence.ts';
import type { Connection, FrameOf } from '../socket/connection.ts';
import { spenderOf } from './spender.ts';

/** `presence`: answers who is online now, and begins or ends watches. */
export const createPresenceFrame =
  (presence: PresenceQuestions) =>
  async (connection: Connection, { id, users, watch }: FrameOf<'presence'>): Promise<string> => {
    const asker = spenderOf(connection);
    if (watch === undefined) return presenceFrame(id, await presence.ask(asker, users, connection));
    return presenceFrame(id, await (watch ? presence.watch : presence.unwatch)(asker, users, connection));
  };
