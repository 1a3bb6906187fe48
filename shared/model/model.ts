/**
 * The words of Restante and their types. No imports, no I/O.
 *
 * conversation   a 1:1 ("direct") or a group; the unit of order
 * seq            a message's number in its conversation: strictly rising from 1, dense except for recorded skips
 * partition      one of the message streams; a conversation always lives in the same one
 * inbox          a user's capped stream of what may still have to be delivered
 * position       a place in an inbox: strictly rising from 1, dense within an epoch
 * epoch          changes when stored state was lost or restored; a position means nothing without it
 * device         one installation of a user, with a position of its own
 * gateway        a process that holds sockets
 * push           handing a message to a device that is online
 * gap            seqs that the inbox does not hold and history does
 * accepted       the server has the message; received: a device has it; settled: a consumer is done with a stream entry
 */

export const idPattern = /^[A-Za-z0-9_-]{1,64}$/;
/**
 * Stands for none where the id of a device could stand: in stream entries, push payloads and Redis fields. No id holds
 * it, so no device can be taken for it.
 */
export const noDevice = '*';

export const kindPattern = /^[a-z0-9._-]{1,32}$/;

/** Kinds that begin so are written by the server alone. */
export const serverKindPrefix = 'restante.';
export const membershipKind = 'restante.membership';

export type MessageClass = 'normal' | 'important';

/** A message as every path shows it. Field order is that of its stored text, see message-text.ts. */
export type Message = {
  id: string;
  conversation: string;
  seq: number;
  /** Milliseconds since 1970, by the server that accepted. */
  at: number;
  sender: string;
  clientId: string;
  kind: string;
  body: unknown;
  class: MessageClass;
  /** The newest amendment of it; `withheld`: one that its reader may not see, nor the text since. */
  amended?:
    | { action: 'recall' | 'edit'; by: string; at: number; version: number; amendSeq: number }
    | Withheld
    | undefined;
};

type Withheld = { action: 'withheld' };

export type MembershipAction = 'joined' | 'left' | 'removed';
export type MembershipBody = { user: string; action: MembershipAction };

/** An inclusive range of seqs. */
export type SeqRange = { fromSeq: number; toSeq: number };

/** A time of membership: the member sees the seqs with joined < seq <= left. `left` is null while it lasts. */
export type Span = { joined: number; left: number | null };

export type ConversationKind = 'direct' | 'group';

/** The properties of a conversation itself, without its members and messages. */
export type ConversationInfo = {
  id: string;
  kind: ConversationKind;
  name: string | null;
  /** Milliseconds since 1970. */
  createdAt: number;
  /** Created by a service token: then only service tokens change its members. */
  service: boolean;
  /** The user who created the group; absent if a back end or an older version did. May recall any message in it. */
  creator?: string;
  /** The two users of a direct conversation (equal when it is with oneself), sorted; null for groups. */
  users: readonly [string, string] | null;
  /** Days that history keeps its messages. 0: without limit; null: as long as the deployment's setting says. */
  historyDays: number | null;
  /** Rises with every change of members, name or days. */
  version: number;
};

/** Changes of a conversation itself. null: no name, no days of its own. Properties that are not given stay. */
export type ConversationChange = { name?: string | null | undefined; historyDays?: number | null | undefined };

/** The place in an inbox of messages that were cut, or never written. */
export type Gap = SeqRange & { position: number; conversation: string };
