import { useEffect, useSyncExternalStore } from 'react';
import type { Conversation, Store, View } from 'restante-client';

/** The value of a store. The component is rendered again when it changes. */
export const useStore = <T>(store: Store<T>): T => useSyncExternalStore(store.subscribe, store.get, store.get);

/** What a conversation shows. While the component is there, somebody looks at it: its newest messages are read. */
export function useMessages(chat: Conversation): View {
  useEffect(() => {
    const looking = chat.open();
    return () => looking.close();
  }, [chat]);
  return useStore(chat.messages);
}
