import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Conversation, Store, View } from '../../sdk/src/entries/client.ts';

/** The recipes for Vue and Svelte with what they are for. The one for React is only compiled, by `npm run check`. */

type Scope = { run<T>(task: () => T): T; stop(): void };
type Recipes = {
  readable<T>(store: Store<T>): { subscribe(run: (value: T) => void): () => void };
  useStore<T>(store: Store<T>): { readonly value: T };
  useMessages(chat: Pick<Conversation, 'open' | 'messages'>): { readonly value: View };
  effectScope(): Scope;
  effect(task: () => void): void;
};

const recipe = (name: string): string =>
  JSON.stringify(fileURLToPath(new URL(`../../sdk/recipes/${name}.ts`, import.meta.url)));
const entry = `
export { readable } from ${recipe('svelte')};
export { useMessages, useStore } from ${recipe('vue')};
export { effect, effectScope } from '@vue/reactivity';
`;

let dir: string;
let recipes: Recipes;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'restante-recipes-'));
  const file = join(dir, 'recipes.mjs');
  await build({
    input: 'entry',
    plugins: [
      {
        name: 'entry',
        resolveId: (id: string) => (id === 'entry' ? id : null),
        load: (id: string) => (id === 'entry' ? entry : null),
      },
    ],
    // Stores need no more of Vue than its reactivity.
    resolve: { alias: { vue: '@vue/reactivity' } },
    output: { file },
    logLevel: 'silent',
  });
  recipes = (await import(file)) as Recipes;
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** A store as the client has them, and how many listen to it. */
function createStore<T>(first: T): Store<T> & { set(value: T): void; listeners(): number } {
  let value = first;
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    set(next) {
      value = next;
      for (const listener of listeners) listener();
    },
    listeners: () => listeners.size,
  };
}

test('Svelte: whoever subscribes is told the value, and each one after it, until the end', () => {
  const store = createStore(1);
  const told: number[] = [];
  const end = recipes.readable(store).subscribe((value) => told.push(value));
  store.set(2);
  end();
  store.set(3);
  expect([told, store.listeners()]).toEqual([[1, 2], 0]);
});

test('Vue: a value is followed until its scope ends', () => {
  const store = createStore({ name: 'one' });
  const seen: string[] = [];
  const scope = recipes.effectScope();
  scope.run(() => {
    const value = recipes.useStore(store);
    recipes.effect(() => void seen.push(value.value.name));
  });
  store.set({ name: 'two' });
  scope.stop();
  store.set({ name: 'three' });
  expect([seen, store.listeners()]).toEqual([['one', 'two'], 0]);
});

test('Vue: somebody looks at a conversation until the scope ends', () => {
  const messages = createStore<View>({ items: [], older: 'end', newer: 'end' });
  let lookers = 0;
  const open = () => {
    lookers += 1;
    const close = (): void => void (lookers -= 1);
    return { close, [Symbol.dispose]: close };
  };
  const scope = recipes.effectScope();
  const view = scope.run(() => recipes.useMessages({ messages, open }));
  expect([view.value, lookers]).toEqual([messages.get(), 1]);
  scope.stop();
  expect([lookers, messages.listeners()]).toEqual([0, 0]);
});
