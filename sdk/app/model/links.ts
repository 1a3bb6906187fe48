export type Piece = { text: string; href?: string };

/** Only what a browser opens by HTTP becomes a link. Marks at the end of a sentence are not part of it. */
const link = /\bhttps?:\/\/[^\s<>"'`\u3000-\u303f\uff00-\uffef]+/gi;
const atEnd = /[.,;:!?)\]}…]+$/;

function hrefOf(text: string): string | null {
  try {
    const { protocol, href } = new URL(text);
    return protocol === 'http:' || protocol === 'https:' ? href : null;
  } catch {
    return null;
  }
}

/** A text in pieces, some of which are links. Joined, the pieces are the text. */
export function piecesOf(text: string): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(link)) {
    const found = match[0].replace(atEnd, '');
    const href = hrefOf(found);
    if (href === null) continue;
    if (match.index > from) pieces.push({ text: text.slice(from, match.index) });
    pieces.push({ text: found, href });
    from = match.index + found.length;
  }
  if (from < text.length) pieces.push({ text: text.slice(from) });
  return pieces;
}
