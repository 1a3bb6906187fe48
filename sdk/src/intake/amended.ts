import type { Message } from '../wire.ts';

/** The kind of an amendment: a message of its own that changes another. */
export const amendKind = 'restante.amend';

/** Kinds that hold a seq and are never shown. */
const quietKinds = new Set([amendKind, 'restante.erased', 'restante.commit']);

export const isQuiet = ({ kind }: { kind: string }): boolean => quietKinds.has(kind);

/** An amendment that has come as an item. `body` is undefined where a later amendment took its place. */
export type Amendment = {
  seq: number;
  amendSeq: number;
  action: 'recall' | 'edit';
  version: number;
  by: string;
  at: number;
  body?: unknown;
};

/** The amendment that a message of its kind is; null if it is none, or not of a known form. */
export function amendmentOf({ kind, seq, sender, at, body }: Message): Amendment | null {
  if (kind !== amendKind || typeof body !== 'object' || body === null) return null;
  const { seq: target, action, version, body: text } = body as Record<string, unknown>;
  if (!Number.isSafeInteger(target) || (action !== 'recall' && action !== 'edit')) return null;
  const amendment = { seq: target as number, amendSeq: seq, action, version: Number(version), by: sender, at } as const;
  return Object.hasOwn(body, 'body') ? { ...amendment, body: text } : amendment;
}

/** The seq of the amendment in force. A withheld text says nothing about it and yields to nothing. */
function amendSeqOf({ amended }: Message): number {
  if (amended === undefined) return 0;
  return amended.action === 'withheld' ? Number.POSITIVE_INFINITY : amended.amendSeq;
}

/** Whether an amendment changes what is shown: an edit without its text was superseded and changes nothing. */
const changes = ({ action, body }: Amendment): boolean => action === 'recall' || body !== undefined;

/**
 * A message under an amendment. The one with the higher seq is in force: versions may be given again after a loss of
 * stored state, seqs never are.
 */
export function underAmendment(message: Message, amendment: Amendment): Message {
  if (amendment.amendSeq <= amendSeqOf(message) || !changes(amendment) || message.kind === amendKind) return message;
  const { action, by, at, version, amendSeq, body } = amendment;
  return { ...message, body: action === 'recall' ? null : body, amended: { action, by, at, version, amendSeq } };
}

/** Of two texts of one message, the one in force. What was read later wins when both know the same amendment. */
export const inForce = (before: Message, after: Message): Message =>
  before.id === after.id && amendSeqOf(before) > amendSeqOf(after) ? before : after;

export const isRecalled = ({ amended }: Message): boolean => amended?.action === 'recall';
