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
  /** Position of its newest message that counts; 0 if the inbox does not hold it. */
  position: number;
  member: boolean;
  /** Seqs that do not count as unread, in any order. */
  quiet: SeqRange[];
};

/** Reads a field `larges`: the ids of the user's large groups. */
export const readLarges = (text: string): string[] => (text === '' ? [] : text.trim().split(' '));

/**
 * Reads a field `c:<conversation>`, and the fields `q:<conversation>` and `s:<conversation>` beside it. `shown` is in
 * force until the next message.
 */
export function readState(conversation: string, value: string, quiet = '', shown = ''): ConversationState {
  const [last, read, joined, at, position, status] = value.split(' ') as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const [shownLast, shownPosition] = shown.split(' ');
  return {
    conversation,
    lastSeq: Number(last),
    readSeq: Number(read),
    joined: Number(joined),
    at: Number(at),
    position: Number(shownLast === last ? shownPosition : position),
    member: status === 'm',
    quiet: decodeSkips(quiet),
  };
}
