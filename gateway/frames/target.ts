import { directConversation } from '../../shared/model/ids.ts';

/** The conversation that a frame of `user` names: by its id, or by the other user of a direct conversation. */
export const targetOf = (
  user: string,
  { conversation, to }: { conversation?: string | undefined; to?: string | undefined },
): string => conversation ?? directConversation(user, to!);
