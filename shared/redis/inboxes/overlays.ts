import { type Amendment, amendedText, amendmentText } from '../../model/amendment.ts';
import type { PageItem } from '../../model/results.ts';

/**
 * What amendments lay over the entries of an inbox (overlays.include.lua). Whoever reads texts from an inbox gets the
 * overlays in the same step, and serves the entries by `served` alone.
 */

/** An entry as scripts reply it; `name`: its field, which is its format and the user's own device that sent it. */
export type InboxEntry = { position: number; name: string; text: string };

/**
 * `withheld`: of a message whose newest amendment its reader does not see. `position`: that of the amendment's entry, 0
 * without one.
 */
export type Overlay = Omit<Amendment, 'action'> & { action: Amendment['action'] | 'withheld'; position: number };

const actions: Readonly<Record<string, Overlay['action']>> = { r: 'recall', e: 'edit', w: 'withheld' };

/** Reads the value of an overlay: `<amendSeq> <version> <r|e|w> <by> <at> <position> <body>`. */
function readValue({ conversation, seq, value }: Omit<Found, 'overlay'>): Overlay {
  let end = -1;
  const word = (): string => {
    const begin = end + 1;
    end = value.indexOf(' ', begin);
    return value.slice(begin, end);
  };
  const amendSeq = Number(word());
  const version = Number(word());
  const action = actions[word()];
  const by = word();
  const at = Number(word());
  const position = Number(word());
  if (action === undefined || end < 0) throw new Error(`not an overlay: ${conversation}:${seq}`);
  const body = action === 'edit' ? value.slice(end + 1) : null;
  return { conversation, seq, amendSeq, version, action, by, at, position, body };
}

/** Reads a field of a user's hash of overlays. */
export function readOverlay(field: string, value: string): Overlay {
  const colon = field.indexOf(':');
  return readValue({ conversation: field.slice(0, colon), seq: Number(field.slice(colon + 1)), value });
}

/**
 * What lies over the entries of a page: values of the hash, by the amended message and by the amendment itself. Most
 * texts of a page have no overlay, and a number shows that sooner than a name.
 */
export type Overlays = { byTarget: BySeq; byAmendment: BySeq };

/** By seq. Those of one seq are of different conversations, so there are few of them. */
type BySeq = Map<number, Found[]>;
/** Decoded when it is first needed: a page has the message, its amendment, both or neither. */
type Found = { conversation: string; seq: number; value: string; overlay: Overlay | null };

function put(all: BySeq, seq: number, found: Found): void {
  const ofSeq = all.get(seq);
  if (ofSeq === undefined) all.set(seq, [found]);
  else ofSeq.push(found);
}

/** Overlays from the flat list of fields and values that scripts reply. They are read when an entry needs them. */
export function readOverlays(flat: readonly string[]): Overlays {
  const overlays: Overlays = { byTarget: new Map(), byAmendment: new Map() };
  for (let i = 0; i < flat.length; i += 2) {
    const [field, value] = [flat[i]!, flat[i + 1]!];
    const colon = field.indexOf(':');
    const seq = Number(field.slice(colon + 1));
    const found: Found = { conversation: field.slice(0, colon), seq, value, overlay: null };
    put(overlays.byTarget, seq, found);
    put(overlays.byAmendment, parseInt(value, 10), found);
  }
  return overlays;
}

const idBegins = '{"id":"'.length;
const beforeConversation = '","conversation":"'.length;
const beforeSeq = '","seq":'.length;

/** What was noted under the seq and conversation of a text. */
function overlayOf(text: string, all: BySeq): Overlay | undefined {
  const begin = text.indexOf('"', idBegins) + beforeConversation;
  const end = text.indexOf('"', begin);
  let seq = 0;
  for (let i = end + beforeSeq, digit; (digit = text.charCodeAt(i) - 48) >= 0 && digit <= 9; i++)
    seq = seq * 10 + digit;
  const ofSeq = all.get(seq);
  if (ofSeq === undefined) return undefined;
  const name = text.slice(begin, end);
  const found = ofSeq.find(({ conversation }) => conversation === name);
  return found === undefined ? undefined : (found.overlay ??= readValue(found));
}

const isInForce = (overlay: Overlay): overlay is Overlay & Amendment => overlay.action !== 'withheld';

function servedText({ name, text }: InboxEntry, overlays: Overlays): string {
  if (name.startsWith('1')) {
    const overlay = overlays.byTarget.size === 0 ? undefined : overlayOf(text, overlays.byTarget);
    if (overlay === undefined) return text;
    return amendedText(text, isInForce(overlay) ? overlay : 'withheld');
  }
  // Who does not see the message gets its amendments as they are stored.
  if (name.startsWith('2-')) return text;
  const own = overlayOf(text, overlays.byAmendment);
  return amendmentText(text, own?.body ?? undefined, own === undefined);
}

/**
 * Entries of an inbox as readers get them: messages as they read now, and of the amendments of a message the newest
 * with its body.
 */
export const served = (entries: readonly InboxEntry[], overlays: Overlays): PageItem[] =>
  entries.map((entry) => {
    const { position, name } = entry;
    const space = name.indexOf(' ');
    return { position, device: space < 0 ? '' : name.slice(space + 1), text: servedText(entry, overlays) };
  });
