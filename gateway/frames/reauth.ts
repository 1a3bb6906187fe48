import { Refusal } from '../../shared/model/errors.ts';
import { okFrame } from '../../shared/protocol/frame-text.ts';
import type { Admit } from '../auth/revocation.ts';
import type { Connection, FrameOf } from '../socket/connection.ts';

/** `reauth`: a newer token of the same user, and of the same device if it is bound to one, replaces the present one. */
export const createReauth =
  (admit: Admit) =>
  async (connection: Connection, { id, token }: FrameOf<'reauth'>): Promise<string> => {
    const { user, device } = connection.session!;
    const principal = await admit(token, device);
    if (principal.user !== user || (principal.device !== null && principal.device !== device)) {
      throw new Refusal('forbidden', 'the token belongs to somebody else');
    }
    connection.renew(principal);
    return okFrame(id, principal.expiresAt);
  };
