import { type Amendment, amendedText, amendmentText, targetOf } from '../../model/amendment.ts';
import { readHead } from '../../model/message-text.ts';
import type { PageItem } from '../../model/results.ts';

/**
 * What amendments lay over the entries of an inbox (overlays.include.lua). Whoever reads texts from an inbox gets the
 * overlays in the same step, and serves the entries by `served` alone.
 */

/** An entry as scripts reply it; `name`: its field, which is its format and the user's own device that sent it. */
export type InboxEntry = { position: number; name: string; text: string };

/** `withheld`: of a message whose newest amendment its reader does not see. */
export type Overlay = Amendment | (Pick<Amendment, 'conversation' | 'seq' | 'amendSeq'> & { action: 'withheld' });

const actions: Readonly<Record<string, Overlay['action']>> = { r: 'recall', e: 'edit', w: 'withheld' };

/** Reads a field of a user's hash of overlays. */
export function readOverlay(field: string, value: string): Overlay & { position: number; at: number } {
  const colon = field.indexOf(':');
  const words = value.split(' ', 6) as [string, string, string, string, string, string];
  const [amendSeq, version, letter, by, at, position] = words;
  const action = actions[letter]!;
  const body = value.slice(words.reduce((length, word) => length + word.length + 1, 0));
  const common = {
    conversation: field.slice(0, colon),
    seq: Number(field.slice(colon + 1)),
    amendSeq: Number(amendSeq),
    at: Number(at),
    position: Number(position),
  };
  if (action === 'withheld') return { ...common, action };
  return { ...common, version: Number(version), action, by, body: action === 'recall' ? null : body };
}

/** Overlays by their field, from the flat list of fields and values that scripts reply. */
export function readOverlays(flat: readonly string[]): Map<string, Overlay> {
  const overlays = new Map<string, Overlay>();
  for (let i = 0; i < flat.length; i += 2) overlays.set(flat[i]!, readOverlay(flat[i]!, flat[i + 1]!));
  return overlays;
}

function servedText(name: string, text: string, overlays: ReadonlyMap<string, Overlay>): string {
  const { conversation, seq } = readHead(text);
  if (name.startsWith('1')) {
    const overlay = overlays.get(`${conversation}:${seq}`);
    if (overlay === undefined) return text;
    return amendedText(text, overlay.action === 'withheld' ? 'withheld' : overlay);
  }
  // Who does not see the message gets its amendments as they are stored.
  if (name.startsWith('2-')) return text;
  const overlay = overlays.get(`${conversation}:${targetOf(text)}`);
  if (overlay === undefined || overlay.action === 'withheld' || overlay.amendSeq !== seq)
    return amendmentText(text, undefined, true);
  return amendmentText(text, overlay.body ?? undefined, false);
}

/**
 * Entries of an inbox as readers get them: messages as they read now, and of the amendments of a message the newest
 * with its body.
 */
export const served = (entries: readonly InboxEntry[], overlays: ReadonlyMap<string, Overlay>): PageItem[] =>
  entries.map(({ position, name, text }) => {
    const space = name.indexOf(' ');
    const isPlain = overlays.size === 0 && name.startsWith('1');
    return {
      position,
      device: space < 0 ? '' : name.slice(space + 1),
      text: isPlain ? text : servedText(name, text, overlays),
    };
  });
