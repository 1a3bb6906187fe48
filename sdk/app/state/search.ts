import { Refusal, type Client, type Message } from '../../src/entries/client.ts';

export type Found =
  | { state: 'idle' }
  | { state: 'searching' | 'failed'; messages: readonly Message[] }
  | { state: 'done'; messages: readonly Message[]; next: string | null; indexing: boolean };

/** What the user looks for: names are found at once, messages by the server's index a moment later. */
export type Search = {
  readonly text: string;
  readonly found: Found;
  set(text: string): void;
  more(): void;
  close(): void;
};

/** So long nothing must be typed before the server is asked. */
const restMs = 250;
/** A search that could not be answered is asked again after these pauses, while the text stays as it is. */
const retryPausesMs = [1000, 2000, 4000, 8000, 16_000];
const mostLetters = 128;
const searchable = /[\p{L}\p{N}]/u;

/** Milliseconds after which it is asked again; undefined: never. A browser's fetch says only that it failed. */
function pauseAfter(error: unknown, failures: number): number | undefined {
  const pauseMs = retryPausesMs[failures];
  if (pauseMs === undefined) return undefined;
  if (error instanceof Refusal) return error.retryable ? Math.max(pauseMs, error.retryAfterMs ?? 0) : undefined;
  return error instanceof TypeError ? pauseMs : undefined;
}

export function createSearch(client: Pick<Client, 'search' | 'features'>, changed: () => void): Search {
  let text = '';
  let found: Found = { state: 'idle' };
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** The number of the newest question. What comes of an older one is passed over. */
  let newest = 0;

  const set = (next: Found): void => {
    found = next;
    changed();
  };

  async function ask(question: number, before: readonly Message[], next: string | null, failures = 0): Promise<void> {
    try {
      const answer = await client.search(text.slice(0, mostLetters), next === null ? {} : { next });
      if (question !== newest) return;
      const messages = [...before, ...answer.messages];
      set({ state: 'done', messages, next: answer.next ?? null, indexing: answer.indexing === true });
    } catch (error) {
      if (question !== newest) return;
      set({ state: 'failed', messages: before });
      const pauseMs = pauseAfter(error, failures);
      if (pauseMs !== undefined) timer = setTimeout(() => void ask(question, before, next, failures + 1), pauseMs);
    }
  }

  return {
    get text() {
      return text;
    },
    get found() {
      return found;
    },
    set(given) {
      text = given.trim();
      const question = ++newest;
      clearTimeout(timer);
      if (!searchable.test(text) || !client.features.includes('search')) return set({ state: 'idle' });
      set({ state: 'searching', messages: [] });
      timer = setTimeout(() => void ask(question, [], null), restMs);
    },
    more() {
      if (found.state !== 'done' || found.next === null) return;
      const { messages, next } = found;
      set({ state: 'searching', messages });
      void ask(newest, messages, next);
    },
    close() {
      newest += 1;
      clearTimeout(timer);
    },
  };
}
