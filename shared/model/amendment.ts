/**
 * Amendments: messages of their own kind and seq that recall or edit an earlier message of their conversation.
 *
 * Their own text never holds the new body. The body is kept beside it, once for each amended message, and every reader
 * lays the newest amendment over the text of the message. _Must hold:_ such a text is only made here, and by splicing:
 * a text that was parsed and serialised again has other bytes.
 *
 *   {…,"kind":…,"body":…,"class":"…"}                              the message as it was sent
 *   {…,"kind":…,"body":…,"class":"…","amended":{"action":…,…}}     the same, amended
 *   {…,"body":{"seq":5,"action":"edit","version":2},"class":"…"}   an amendment, as it is stored
 *
 * Bodies may hold any of these words. So a body's beginning is the first `"body":`: what stands before it are ids,
 * numbers and a kind, which hold no quotes. Its end is found from the end of the text.
 */

export type AmendAction = 'recall' | 'edit';

/** An amendment in force: what is laid over the message `seq` of its conversation. */
export type Amendment = {
  conversation: string;
  /** The message that is amended. */
  seq: number;
  /** The seq of the amendment itself. Of two amendments of a message the one with the higher seq is newer. */
  amendSeq: number;
  /** Counts the amendments of the message from 1. One that was lost may be given again, so it says nothing of order. */
  version: number;
  action: AmendAction;
  by: string;
  /** Milliseconds since 1970. */
  at: number;
  /** The new body as JSON; null: recalled. */
  body: string | null;
};

export const amendmentKind = 'restante.amend';

/** Kinds that do not count as unread, cause no notification, and are nobody's newest message. */
const quietKinds: ReadonlySet<string> = new Set([amendmentKind, 'restante.erased', 'restante.commit']);

export const isQuiet = (kind: string): boolean => quietKinds.has(kind);

/** Whether a message as it reads now counts as unread, and may be shown as the newest of its conversation. */
export const counts = ({ kind, amended }: { kind: string; amended?: { action: string } | undefined }): boolean =>
  !isQuiet(kind) && amended?.action !== 'recall';

/** With its comma, of which few stand before it: a search stops at each of its first character. */
const bodyField = ',"body":';
/** No ending is longer: an id, three numbers, and the names of the fields. */
const mostOfEnding = 320;
const classFields = [',"class":"normal"', ',"class":"important"'] as const;
const plainEndings = classFields.map((classField) => ({ text: `${classField}}`, ending: { classField, amended: 0 } }));
/** Holds no braces of its own, so what a body holds is never taken for it. */
const amendedEnding = /(,"class":"(?:normal|important)"),"amended":\{"action":"(\w+)"(?:[^{}]*,"amendSeq":(\d+))?\}\}$/;

type Ending = {
  /** `,"class":"normal"` or `,"class":"important"`. */
  classField: string;
  /** The amendment that the text reflects; 0: none; `withheld`: one that its reader may not see. */
  amended: number | 'withheld';
};

function endingOf(text: string): Ending {
  for (const plain of plainEndings) if (text.endsWith(plain.text)) return plain.ending;
  const found = amendedEnding.exec(text.slice(-mostOfEnding));
  if (found === null) throw new Error('not a message text');
  const [, classField, action, amendSeq] = found as unknown as [string, string, string, string | undefined];
  return { classField, amended: action === 'withheld' ? 'withheld' : Number(amendSeq) };
}

/** The text up to and including `"body":`. */
function beforeBody(text: string): string {
  const at = text.indexOf(bodyField);
  if (at < 0) throw new Error('not a message text');
  return text.slice(0, at + bodyField.length);
}

/** Whether the text's body is another one than was sent. */
export const isAmended = (text: string): boolean => endingOf(text).amended !== 0;

/**
 * The text with an amendment laid over it; `withheld`: for a reader who sees the message and not its newest amendment.
 * Of two amendments the newer one stays, in whichever order they are laid over it, and what is withheld stays so.
 * Throws when it is no message text.
 */
export function amendedText(text: string, amendment: Amendment | 'withheld'): string {
  const { classField, amended } = endingOf(text);
  if (amendment === 'withheld') return `${beforeBody(text)}null${classField},"amended":{"action":"withheld"}}`;
  if (amended === 'withheld' || amended > amendment.amendSeq) return text;
  const { action, by, at, version, amendSeq, body } = amendment;
  const how = `{"action":"${action}","by":"${by}","at":${at},"version":${version},"amendSeq":${amendSeq}}`;
  return `${beforeBody(text)}${body ?? 'null'}${classField},"amended":${how}}`;
}

/** What stands before the kind holds no quotes of its own, so the first one is it. */
const kindField = ',"kind":"';
const amendmentKindField = `${kindField}${amendmentKind}"`;
/** Six fields stand before the kind, none of which holds a quote. */
const amendmentHead = /^\{(?:"\w+":(?:"[^"]*"|\d+),){6}"kind":"restante\.amend","body":\{"seq":(\d+),/;

/** The seq of the message that a text amends; null: it is no amendment. */
export function targetOf(text: string): number | null {
  // Every page of history asks this of each text, and almost none is of this kind.
  if (!text.startsWith(amendmentKindField, text.indexOf(kindField))) return null;
  const found = amendmentHead.exec(text);
  return found === null ? null : Number(found[1]);
}

/** The seq of the amendment that a text reflects; 0: it reads as it was sent, or is withheld. */
export function amendSeqOf(text: string): number {
  // Only an amended text ends so: what ends a message is its class.
  if (!text.endsWith('}}')) return 0;
  const { amended } = endingOf(text);
  return amended === 'withheld' ? 0 : amended;
}

/** The fields that every amendment has, at the place of its body. */
const amendmentFields = /^\{"seq":\d+,"action":"\w+","version":\d+/;

/**
 * The text of an amendment as a reader gets it: with the new body, or marked as superseded by a newer amendment of the
 * same message, or (`body` undefined) with neither: of a recall, or for a reader who does not see the message.
 * Throws when it is no text of an amendment.
 */
export function amendmentText(text: string, body: string | undefined, superseded: boolean): string {
  const { classField } = endingOf(text);
  const before = beforeBody(text);
  const fields = amendmentFields.exec(text.slice(before.length, before.length + mostOfEnding));
  if (fields === null) throw new Error('not the text of an amendment');
  const more = superseded ? ',"superseded":true' : body === undefined ? '' : `,"body":${body}`;
  return `${before}${fields[0]}${more}}${classField}}`;
}
