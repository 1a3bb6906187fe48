import type { Message } from '../wire.ts';

/** What a message takes beside its text: its other fields, and its place in the storage. */
const otherBytes = 250;

/** About how many characters a text has as JSON. Every message is measured, so nothing is serialised for it. */
export function lengthOf(body: unknown): number {
  if (typeof body === 'string') return body.length;
  if (typeof body !== 'object' || body === null) return 4;
  let length = 2;
  for (const name of Object.keys(body)) length += name.length + lengthOf((body as Record<string, unknown>)[name]) + 6;
  return length;
}

/** About how many bytes a message takes in a storage. */
export const bytesOf = ({ body }: Message): number => otherBytes + lengthOf(body);
