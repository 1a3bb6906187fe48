import type { Span } from './model.ts';

/**
 * Spans as text: `joined-left` separated by commas, without a number after the dash while the membership lasts. So
 * "0-5,9-" saw the seqs 1 to 5 and sees all above 9. No spans are the empty text.
 */
export const encodeSpans = (spans: readonly Span[]): string =>
  spans.map(({ joined, left }) => `${joined}-${left ?? ''}`).join(',');

const spanPattern = /^(0|[1-9]\d{0,15})-(0|[1-9]\d{0,15})?$/;

/** Throws on anything that `encodeSpans` does not write. */
export const decodeSpans = (text: string): Span[] =>
  text === ''
    ? []
    : text.split(',').map((part) => {
        const match = spanPattern.exec(part);
        if (!match) throw new Error(`not spans: ${text}`);
        return { joined: Number(match[1]), left: match[2] === undefined ? null : Number(match[2]) };
      });

/** Whether a member sees the message `seq` by this span. */
export const covers = ({ joined, left }: Span, seq: number): boolean => joined < seq && (left === null || seq <= left);
