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

/** Everything before the body. */
const overlayHead = /^(\d+) (\d+) ([rew]) (\S+) (\d+) (\d+) /;

/** Reads a field of a user's hash of overlays. */
export function readOverlay(field: string, value: string): Overlay {
  const found = overlayHead.exec(value);
  if (found === null) throw new Error(`not an overlay: ${field}`);
  const [head, amendSeq, version, letter, by, at, position] = found as unknown as string[] & { length: 7 };
  const colon = field.indexOf(':');
  return {
    conversation: field.slice(0, colon),
    seq: Number(field.slice(colon + 1)),
    amendSeq: Number(amendSeq),
    version: Number(version),
    action: actions[letter!]!,
    by: by!,
    at: Number(at),
    position: Number(position),
    body: letter === 'e' ? value.slice(head!.length) : null,
  };
}

/** What lies over the entries of a page. */
export type Overlays = {
  /** By the message that is amended, as `placeOf` has it. */
  byPlace: Map<string, Overlay>;
  /** By the position of the amendment's entry. */
  byPosition: Map<number, Overlay>;
};

/** What a text says between its id and its time: a page has many texts, and most have no overlay. */
function placeOf(text: string): string {
  const from = text.indexOf('"', '{"id":"'.length) + '","conversation":"'.length;
  return text.slice(from, text.indexOf(',"at":', from));
}

/** Overlays from the flat list of fields and values that scripts reply. */
export function readOverlays(flat: readonly string[]): Overlays {
  const overlays: Overlays = { byPlace: new Map(), byPosition: new Map() };
  for (let i = 0; i < flat.length; i += 2) {
    const overlay = readOverlay(flat[i]!, flat[i + 1]!);
    overlays.byPlace.set(`${overlay.conversation}","seq":${overlay.seq}`, overlay);
    if (overlay.position > 0) overlays.byPosition.set(overlay.position, overlay);
  }
  return overlays;
}

const isInForce = (overlay: Overlay): overlay is Overlay & Amendment => overlay.action !== 'withheld';

function servedText({ name, position, text }: InboxEntry, { byPlace, byPosition }: Overlays): string {
  if (name.startsWith('1')) {
    const overlay = byPlace.size === 0 ? undefined : byPlace.get(placeOf(text));
    if (overlay === undefined) return text;
    return amendedText(text, isInForce(overlay) ? overlay : 'withheld');
  }
  // Who does not see the message gets its amendments as they are stored.
  if (name.startsWith('2-')) return text;
  const own = byPosition.get(position);
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
