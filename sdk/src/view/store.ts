/** A value that changes, in the form that user interface libraries take. */
export type Store<Value> = {
  /** The same object until something has changed. */
  get(): Value;
  /** The listener runs at most once for all changes of a turn. Returns the function that ends it. */
  subscribe(listener: () => void): () => void;
};

export type OwnStore<Value> = Store<Value> & {
  /** The value is made again when somebody asks for it. */
  invalidate(): void;
};

/** A store whose value `make` makes when it is asked for and something has changed. */
export function createStore<Value>(make: () => Value, fault: (error: Error, where: string) => void): OwnStore<Value> {
  const listeners = new Set<() => void>();
  let current: { value: Value } | null = null;
  let planned = false;

  const report = (): void => {
    planned = false;
    for (const listener of listeners) {
      try {
        listener();
      } catch (error) {
        fault(error as Error, 'listener');
      }
    }
  };

  return {
    get: () => (current ??= { value: make() }).value,
    subscribe(listener) {
      // The same function may be subscribed twice.
      const own = (): void => listener();
      listeners.add(own);
      return () => listeners.delete(own);
    },
    invalidate() {
      current = null;
      if (planned || listeners.size === 0) return;
      planned = true;
      queueMicrotask(report);
    },
  };
}
