import { OutboxFull, Refusal } from '../../src/entries/client.ts';
import type { Words } from '../words/english.ts';

/** What went wrong, for the user: the server's own words where it gave some. */
export function errorText(error: unknown, words: Words): string {
  if (error instanceof OutboxFull) return words.tooMany;
  if (error instanceof Refusal) return words.failedAction(error.message);
  // A browser's fetch says only that it failed.
  if (error instanceof TypeError) return words.failedAction(words.retrying);
  return words.failedAction(error instanceof Error ? error.message : String(error));
}
