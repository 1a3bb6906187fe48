import { type Message, serverKindPrefix } from '../model/model.ts';
import { firstCharacters } from './terms.ts';

/** Maximum characters of a message that are indexed. */
const mostCharacters = 4096;

/** The fields of a body that hold text for people. */
const textFields = ['text', 'title', 'name', 'address'] as const;

/** Encrypted bodies are never indexed, whatever is configured. */
const encryptedPrefix = 'e2ee.';

/** Whether messages of a kind are indexed. `listed`: SEARCH_KINDS; `*` stands for all kinds but the server's own. */
export function isIndexedKind(kind: string, listed: readonly string[]): boolean {
  if (kind.startsWith(encryptedPrefix)) return false;
  return listed.includes(kind) || (listed.includes('*') && !kind.startsWith(serverKindPrefix));
}

/** What can be found of a message; '' if nothing. */
export function searchableText({ kind, body }: Pick<Message, 'kind' | 'body'>, listed: readonly string[]): string {
  if (!isIndexedKind(kind, listed)) return '';
  if (typeof body === 'string') return firstCharacters(body, mostCharacters);
  if (typeof body !== 'object' || body === null) return '';
  const fields = body as Record<string, unknown>;
  const texts = textFields.map((name) => fields[name]).filter((text) => typeof text === 'string');
  return firstCharacters(texts.join('\n'), mostCharacters);
}
