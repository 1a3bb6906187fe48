import type { Conversation, Store, View } from 'restante-client';
import { onScopeDispose, type ShallowRef, shallowRef } from 'vue';

/** The value of a store, until the component or scope ends. It is shallow: the client changes no value in place. */
export function useStore<T>(store: Store<T>): Readonly<ShallowRef<T>> {
  const value = shallowRef(store.get()) as ShallowRef<T>;
  onScopeDispose(store.subscribe(() => (value.value = store.get())));
  return value;
}

/** What a conversation shows. Until the scope ends, somebody looks at it: its newest messages are read. */
export function useMessages(chat: Conversation): Readonly<ShallowRef<View>> {
  const looking = chat.open();
  onScopeDispose(() => looking.close());
  return useStore(chat.messages);
}
