/**
 * Keeps the files of the app, so that it starts without a network. The network comes first: a developer must never see
 * yesterday's code. Nothing of `/v1` passes through here.
 */

type Extendable = Event & { waitUntil(work: Promise<unknown>): void };
type Fetching = Extendable & { request: Request; respondWith(answer: Promise<Response>): void };
type Worker = {
  location: Location;
  skipWaiting(): Promise<void>;
  clients: { claim(): Promise<void> };
  addEventListener(type: 'install' | 'activate', listener: (event: Extendable) => void): void;
  addEventListener(type: 'fetch', listener: (event: Fetching) => void): void;
  addEventListener(type: 'message', listener: (event: Extendable & { data: unknown }) => void): void;
};
const worker = globalThis as unknown as Worker;

const cacheName = 'restante-app-1';
/** How long the network may take before what is kept is shown. */
const networkMs = 1500;

const isShell = (address: string): boolean => {
  const { origin, pathname } = new URL(address);
  return (
    origin === worker.location.origin && (pathname === '/' || pathname === '/look.css' || pathname.startsWith('/app/'))
  );
};

async function networkFirst(request: Request, network: Promise<Response>): Promise<Response> {
  const late = new Promise<null>((resolve) => setTimeout(resolve, networkMs, null));
  const inTime = await Promise.race([network, late]).catch(() => null);
  // A gateway that cannot serve the app, or a proxy's error page, is not better than what is kept.
  if (inTime?.ok === true || inTime?.status === 304) return inTime;
  return (await caches.match(request, { ignoreSearch: true })) ?? network;
}

/** Ends when all that came so far is kept. */
let keeping: Promise<unknown> = Promise.resolve();

/** Beside the answer, which does not wait for the disk. One that comes too late for it is kept for the next start. */
async function keepAnswer(request: Request, network: Promise<Response>): Promise<void> {
  const response = await network;
  if (!response.ok) return;
  // Before somebody reads it.
  const copy = response.clone();
  await (await caches.open(cacheName)).put(request, copy);
}

/** Keeps these files and no others. `isKept`: those that are there are up to date. */
async function keepOnly(addresses: string[], isKept: boolean): Promise<void> {
  await keeping;
  const cache = await caches.open(cacheName);
  const missing = new Set(addresses.filter(isShell));
  for (const { url } of await cache.keys()) {
    if (!missing.has(url)) await cache.delete(url);
    else if (isKept) missing.delete(url);
  }
  // One that fails must not keep the others from being kept.
  await Promise.allSettled([...missing].map((address) => cache.add(address)));
}

worker.addEventListener('install', (event) => event.waitUntil(worker.skipWaiting()));
worker.addEventListener('activate', (event) => event.waitUntil(worker.clients.claim()));
worker.addEventListener('message', (event) => {
  const { keep, isKept } = (event.data ?? {}) as { keep?: unknown; isKept?: unknown };
  if (!Array.isArray(keep)) return;
  const addresses = keep.filter((one) => typeof one === 'string');
  event.waitUntil(keepOnly(addresses, isKept === true));
});
worker.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || !isShell(request.url)) return;
  const network = fetch(request);
  keeping = Promise.allSettled([keeping, keepAnswer(request, network)]);
  event.waitUntil(keeping);
  event.respondWith(networkFirst(request, network));
});
