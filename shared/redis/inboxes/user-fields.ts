import type { SeqRange } from '../../model/model.ts';
import { decodeSkips } from '../conversations/install-form.ts';

/** The fields of a user's hash that describe conversations, as text and as values. */

/** A user's own view of one conversation, as its inbox has it. */
export type ConversationState = {
  conversation: string;
  lastSeq: number;
  readSeq: number;
  joined: number;
  /** When its newest message was accepted, or it was created (ms); 0 if that was lost. */
  at: number;
  /** Position of its newest message in the inbox; 0 if it has none there. */
  position: number;
  member: boolean;
  /** Seqs that do not count as unread, in any order. */
  quiet: SeqRange[];
};

/** Reads a field `larges`: the ids of the user's large groups. */
export const readLarges = (text: string): string[] => (text === '' ? [] : text.trim().split(' '));

/** Reads a field `c:<conversation>`, and the text of the field `q:<conversation>` beside it. */
export function readState(conversation: string, value: string, quiet = ''): ConversationState {
  const [last, read, joined, at, position, status] = value.split(' ') as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  return {
    conversation,
    lastSeq: Number(last),
    readSeq: Number(read),
    joined: Number(joined),
    at: Number(at),
    position: Number(position),
    member: status === 'm',
    quiet: decodeSkips(quiet),
  };
}
