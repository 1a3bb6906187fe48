export type Emitter<Events> = {
  on<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): () => void;
  emit<Type extends keyof Events>(type: Type, event: Events[Type]): void;
};

/** Listeners by type. One that throws harms no other. */
export function createEmitter<Events>(fault: (error: Error, where: string) => void): Emitter<Events> {
  const listeners = new Map<keyof Events, Set<(event: never) => void>>();
  return {
    on(type, listener) {
      const own = (event: Events[typeof type]): void => listener(event);
      const all = listeners.get(type) ?? new Set();
      listeners.set(type, all.add(own));
      return () => all.delete(own);
    },
    emit(type, event) {
      for (const listener of listeners.get(type) ?? []) {
        try {
          listener(event as never);
        } catch (error) {
          // A listener of faults that throws must not be told of itself.
          if (type !== 'fault') fault(error as Error, 'listener');
        }
      }
    },
  };
}
