import type { Environment, EnvironmentChange } from '../../sdk/src/platform/environment.ts';

/** An environment that the test changes. */
export function playedEnvironment() {
  const listeners = new Set<(change: EnvironmentChange) => void>();
  let online = true;
  let visible = true;
  const environment: Environment = {
    online: () => online,
    visible: () => visible,
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const report = (change: EnvironmentChange): void => {
    if (change === 'online' || change === 'offline') online = change === 'online';
    else visible = change === 'visible';
    for (const listener of listeners) listener(change);
  };
  return { environment, report };
}
