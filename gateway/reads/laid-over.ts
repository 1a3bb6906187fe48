import { type Amendment, amendedText, amendmentText, amendSeqOf, targetOf } from '../../shared/model/amendment.ts';
import type { Span } from '../../shared/model/model.ts';
import { covers } from '../../shared/model/spans.ts';

/** Amendments by the seq of the message that they amend, the newest of each. */
export type Overlays = Map<number, Amendment>;

export function newestOfEach(...lists: (readonly Amendment[])[]): Overlays {
  const newest: Overlays = new Map();
  for (const list of lists) {
    for (const one of list) {
      const known = newest.get(one.seq);
      if (known === undefined || known.amendSeq < one.amendSeq) newest.set(one.seq, one);
    }
  }
  return newest;
}

/**
 * A text of history as who sees everything reads it: a message as it reads now, an amendment with its body while it is
 * in force. `overlays` have to hold the newest amendment of the message, and of the one that it amends if that is this
 * one.
 */
export function laidOver(text: string, seq: number, overlays: Overlays): string {
  const target = targetOf(text);
  if (target === null) {
    const amendment = overlays.get(seq);
    return amendment === undefined ? text : amendedText(text, amendment);
  }
  const newest = overlays.get(target);
  const isInForce = newest?.amendSeq === seq;
  return amendmentText(text, isInForce ? (newest.body ?? undefined) : undefined, !isInForce);
}

/** Of a member from the beginning until now, nothing is hidden. */
const seesAll = (spans: readonly Span[]): boolean => spans[0]?.joined === 0 && spans[0].left === null;
const sees = (spans: readonly Span[], seq: number): boolean => spans.some((span) => covers(span, seq));

/**
 * The same as a member reads it who sees its seq, by spans. A text that was written after the member had left, or
 * before it joined, stays hidden: the amendment's body from who does not see the message, the message's from who does
 * not see its newest amendment.
 */
export function asSeenBy(text: string, spans: readonly Span[]): string {
  if (seesAll(spans)) return text;
  const amendSeq = amendSeqOf(text);
  if (amendSeq > 0) return sees(spans, amendSeq) ? text : amendedText(text, 'withheld');
  const target = targetOf(text);
  return target === null || sees(spans, target) ? text : amendmentText(text, undefined, false);
}
