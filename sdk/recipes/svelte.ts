import type { Store } from 'restante-client';

/** A store as Svelte knows it: whoever subscribes is told the value at once, and each one after it. */
export type Readable<T> = { subscribe(run: (value: T) => void): () => void };

/** For `$store` in components. */
export const readable = <T>(store: Store<T>): Readable<T> => ({
  subscribe(run) {
    run(store.get());
    return store.subscribe(() => run(store.get()));
  },
});
