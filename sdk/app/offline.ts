/** Lets the service worker keep what this page was loaded from, so that it starts without a network. */
export async function keepForOffline(): Promise<void> {
  if (!('serviceWorker' in navigator)) return;
  try {
    // What came through the worker is kept already. A first load did not, nor does one that a user forces.
    const isKept = navigator.serviceWorker.controller !== null;
    await navigator.serviceWorker.register('/app/sw.js', { scope: '/', type: 'module' });
    const { active } = await navigator.serviceWorker.ready;
    const loaded = performance.getEntriesByType('resource').map(({ name }) => name);
    active?.postMessage({ keep: [location.origin + location.pathname, ...new Set(loaded)], isKept });
  } catch {
    // Forbidden, or no secure context: the app then needs the network to start.
  }
}
