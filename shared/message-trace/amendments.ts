import type { HistoryStore } from '../history/store.ts';
import { type AmendAction, amendmentKind, amendSeqOf } from '../model/amendment.ts';
import type { Message } from '../model/model.ts';
import type { AmendedStep, AmendsStep } from './trace.ts';

/** What history knows of the amendment of a message; `text`: the message as it is stored, null if no block holds it. */
export async function amendedStep(
  history: Pick<HistoryStore, 'amendments'>,
  { conversation, seq }: Message,
  text: string | null,
): Promise<AmendedStep | null> {
  const [row] = await history.amendments(conversation, seq, seq);
  if (row === undefined) return null;
  const { action, by, at, version, amendSeq } = row;
  return { action, by, at, version, amendSeq, stored: text === null || amendSeqOf(text) >= amendSeq };
}

/** What a message amends, and what has become of that; null for any other message. */
export async function amendsStep(
  history: Pick<HistoryStore, 'amendments'>,
  { conversation, seq: amendSeq, kind, body }: Message,
): Promise<AmendsStep | null> {
  if (kind !== amendmentKind) return null;
  const { seq, action, version } = body as { seq: number; action: AmendAction; version: number };
  const [row] = await history.amendments(conversation, seq, seq);
  const known = row?.amendSeq ?? 0;
  const state = known < amendSeq ? 'missing' : known === amendSeq ? 'in force' : 'superseded';
  return { seq, action, version, state };
}
